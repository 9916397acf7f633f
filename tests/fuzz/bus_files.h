/*
 * bus_files.h - the files of a bus that a fuzzer damages, and how they become whole again before the next input.
 *
 * The bus is the one of tests/system/flip_bus.h, with something of everything in it, left by a process that was killed,
 * and a supervisor's file. Every file stays mapped here and has a second name outside the bus: an input may change,
 * cut, delete and replace files; bus_files_reset() puts back what differs, which is little and quick.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_FUZZ_BUS_FILES_H
#define TORC_FUZZ_BUS_FILES_H

#include "private.h"

#include "../system/flip_bus.h"

#define BUS_FILES_PAGE 4096u

struct bus_file {
        char path[160]; /* below the root */
        char keep[96];  /* its second name */
        size_t size;
        ino_t inode;
        int fd;
        unsigned char *map;
        unsigned char *pristine;
};

struct bus_files {
        char root[64];
        size_t n, n_other, n_ctl;
        struct bus_file file[FLIP_FILES];
        struct bus_file *ctl[FLIP_FILES]; /* those among them */
        struct flip_file other[FLIP_FILES]; /* directories and FIFOs */
};

/* Finished when it says so; killed then. */
void bus_files_make(struct bus_files *b, const char *root);
void bus_files_reset(struct bus_files *b);
/* As if it had never been there, until the next reset. */
void bus_files_hide(const struct bus_files *b, const char *name);

#endif
