/*
 * file.c - shared files; file.h tells what they are.
 *
 * A file is made nameless (O_TMPFILE), allocated, filled in, and then linked in place: nobody sees it half-made, and
 * if its maker dies it never was. All pages are allocated at once, so that a full tmpfs is -ENOSPC here and never
 * SIGBUS later.
 *
 * Locks are OFD locks: they belong to the open file description, so that two handles in one process exclude each
 * other too, and the kernel drops them when the last descriptor AND the last mapping made from the description
 * are gone. A description that holds a lock is therefore never mapped: a forked child would inherit the map and keep
 * its parent's lock.
 */
#include "file.h"

#include "fault.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_POPULATE_MAX (64ull << 20) /* larger maps fault their pages in as they are used */

static int file_permit(int fd, const struct file_perm *perm)
{
        if ((perm->uid >= 0 || perm->gid >= 0) &&
            fchown(fd, perm->uid >= 0 ? (uid_t)perm->uid : (uid_t)-1, perm->gid >= 0 ? (gid_t)perm->gid : (gid_t)-1))
                return -errno;
        /* After fchown, which may clear bits; and past the umask. */
        return fchmod(fd, perm->mode) ? -errno : 0;
}

/* A nameless file of `bytes` allocated zeroes. Returns a descriptor, or -ENOSPC, -EACCES, -EPERM, ... */
int file_make_nameless(int dirfd, uint64_t bytes, const struct file_perm *perm)
{
        int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        int rc = posix_fallocate(fd, 0, (off_t)bytes);
        rc = rc ? -rc : file_permit(fd, perm);
        if (rc) {
                close(fd);
                return rc;
        }
        return fd;
}

/* Give a nameless file its name. Returns 0 or -EEXIST, ... */
int file_link(int fd, int dirfd, const char *name)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW))
                return -errno;
        FAULT(file_link);
        return 0;
}

int file_open(int dirfd, const char *name, bool writable)
{
        int fd = openat(dirfd, name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

int file_size(int fd, uint64_t *bytes)
{
        struct stat st;
        if (fstat(fd, &st))
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        *bytes = (uint64_t)st.st_size;
        return 0;
}

/* populate: for a map that is used whole and for long; the first touch of a shared page costs 2 us otherwise. */
int file_map(int fd, uint64_t bytes, bool writable, bool populate, void **map)
{
        int flags = MAP_SHARED | (populate && bytes <= FILE_POPULATE_MAX ? MAP_POPULATE : 0);
        void *p = mmap(NULL, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, flags, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *map = p;
        return 0;
}

void file_unmap(void *map, uint64_t bytes)
{
        if (map)
                munmap(map, bytes);
}

/* ---- locks ----------------------------------------------------------------------------------------------- */

static int file_fcntl(int fd, int cmd, short type, int64_t byte, struct flock *fl)
{
        *fl = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
        int rc;
        do
                rc = fcntl(fd, cmd, fl);
        while (rc == -1 && errno == EINTR);
        return rc == -1 ? -errno : 0;
}

/* Returns 0 or -EAGAIN (another holds it). */
int file_try_lock(int fd, int64_t byte)
{
        struct flock fl;
        int rc = file_fcntl(fd, F_OFD_SETLK, F_WRLCK, byte, &fl);
        if (rc)
                return rc == -EACCES ? -EAGAIN : rc;
        FAULT(file_locked);
        return 0;
}

/* Take a lock by the deadline. Tries and sleeps instead of F_OFD_SETLKW, which a stopped holder could hang. */
int file_lock(int fd, int64_t byte, int64_t deadline)
{
        for (long nap_ns = 20000;; nap_ns = nap_ns < 1000000 ? nap_ns * 2 : nap_ns) {
                int rc = file_try_lock(fd, byte);
                if (rc != -EAGAIN)
                        return rc;
                if (wait_over(deadline))
                        return -ETIMEDOUT;
                nanosleep(&(struct timespec){.tv_nsec = nap_ns}, NULL);
        }
}

void file_unlock(int fd, int64_t byte)
{
        struct flock fl;
        file_fcntl(fd, F_OFD_SETLK, F_UNLCK, byte, &fl);
        FAULT(file_unlocked);
}

/* Does another description hold the lock? Needs no write permission. */
int file_lock_held(int fd, int64_t byte, bool *held)
{
        struct flock fl;
        int rc = file_fcntl(fd, F_OFD_GETLK, F_WRLCK, byte, &fl);
        if (rc == 0)
                *held = fl.l_type != F_UNLCK;
        return rc;
}

/* ---- directories and randomness -------------------------------------------------------------------------- */

/* A directory's bits for files with these bits: whoever may read or write may also enter. */
mode_t file_dir_mode(mode_t mode)
{
        return mode | ((mode & 0444) >> 2) | ((mode & 0222) >> 1);
}

/* mkdir -p; new directories get exactly `mode`. */
int file_make_dirs(const char *path, mode_t mode)
{
        char part[PATH_MAX];
        size_t len = strlen(path);
        if (len >= sizeof part)
                return -ENAMETOOLONG;
        for (size_t i = 1; i <= len; i++) {
                if (path[i] != '/' && path[i] != '\0')
                        continue;
                memcpy(part, path, i);
                part[i] = '\0';
                if (mkdir(part, mode) == 0) {
                        FAULT(file_mkdir);
                        if (chmod(part, mode))
                                return -errno;
                        FAULT(file_mkdir_chmod);
                } else if (errno != EEXIST) {
                        return -errno;
                }
        }
        return 0;
}

int file_random(uint64_t *value)
{
        return getrandom(value, sizeof *value, 0) == (ssize_t)sizeof *value ? 0 : -EIO;
}
