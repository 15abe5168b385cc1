/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

/* The commands of shmipc-bench that are no workload over transports. Arguments as main's; they return its status. */
int compare_main(int argc, char **argv);
int page_main(int argc, char **argv);
int plot_main(int argc, char **argv);
int ratio_main(int argc, char **argv);
int vector_main(int argc, char **argv);

#endif
