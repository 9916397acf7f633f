/*
 * file.h - shared files: made whole or not at all, mapped after a look at their size, locked through the kernel.
 */
#ifndef TORC_FILE_H
#define TORC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Permission of what is made: bits, owner and group; -1 keeps the creator's. */
struct file_perm {
        mode_t mode;
        int64_t uid, gid;
};

int file_make_nameless(int dirfd, uint64_t bytes, const struct file_perm *perm);
int file_link(int fd, int dirfd, const char *name);
int file_open(int dirfd, const char *name, bool writable);
int file_map(int fd, uint64_t bytes, bool writable, bool populate, void **map);
void file_unmap(void *map, uint64_t bytes);
int file_size(int fd, uint64_t *bytes);

int file_lock(int fd, int64_t byte, int64_t deadline);
int file_try_lock(int fd, int64_t byte);
void file_unlock(int fd, int64_t byte);
int file_lock_held(int fd, int64_t byte, bool *held);

int file_make_dirs(const char *path, mode_t mode);
mode_t file_dir_mode(mode_t mode);
int file_random(uint64_t *value);

#endif
