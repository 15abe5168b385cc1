/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmipc/shmipc.h - everything that libshmipc offers
 */
#ifndef SHMIPC_SHMIPC_H
#define SHMIPC_SHMIPC_H

#include "shmipc/channel.h"

#endif /* SHMIPC_SHMIPC_H */
