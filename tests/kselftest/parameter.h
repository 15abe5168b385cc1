/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's parameters, and small files like them. A test that changes a parameter restores it in
 * its fixture's teardown; the script that runs all programs restores what a killed one has left.
 */
#ifndef PARAMETER_H
#define PARAMETER_H

#include <stddef.h>
#include <stdint.h>

/* 0 or -errno. */
int parameter_read(const char *name, uint64_t *value);
int parameter_write(const char *name, uint64_t value);

/* Whole files: bytes read, with a 0 behind them, or -errno; 0 or -errno. */
long file_read(const char *path, char *text, size_t size);
int file_write(const char *path, const char *text);

#endif /* PARAMETER_H */
