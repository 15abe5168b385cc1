/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/shmipc.h - everything that libshmipc offers
 */
#ifndef SHMIPC_SHMIPC_H
#define SHMIPC_SHMIPC_H

#include "shmipc/channel.h"
#include "shmipc/session.h"
#include "shmipc/stream.h"
#include "shmipc/listener.h"
#include "shmipc/dispatcher.h"
#include "shmipc/pool.h"
#include "shmipc/observe.h"
#include "shmipc/vector.h"

#endif /* SHMIPC_SHMIPC_H */
