/*
 * source.c - see source.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int source_read(int fd, char *buf, size_t cap, size_t *len)
{
        ssize_t n;

        *len = 0;
        while (*len < cap) {
                n = read(fd, buf + *len, cap - *len);
                if (n == 0)
                        return 0;
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                *len += (size_t)n;
        }
        return -EFBIG;
}

int conf_source_load(struct conf_source *source, struct conf_arena *arena, const char *path)
{
        char *buf = conf_alloc(arena, CONF_FILE_MAX + 1, 1);
        struct stat st;
        size_t len = 0;
        int fd, ret;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        ret = fstat(fd, &st) < 0 ? -errno : source_read(fd, buf, CONF_FILE_MAX + 1, &len);
        close(fd);
        if (ret)
                return ret;
        conf_source_text(source, arena, path, buf, len);
        source->device = st.st_dev;
        source->inode = st.st_ino;
        return 0;
}

void conf_source_text(struct conf_source *source, struct conf_arena *arena, const char *path, const char *text,
                      size_t len)
{
        size_t cap = 0;

        *source = (struct conf_source){.path = conf_strdup(arena, path)};
        if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
                text += 3;
                len -= 3;
        }
        while (len > 0) {
                const char *nl = memchr(text, '\n', len);
                size_t n = nl ? (size_t)(nl - text) : len;
                size_t shown = n > 0 && text[n - 1] == '\r' ? n - 1 : n;

                source->lines = conf_grow(arena, source->lines, source->n_lines, &cap, sizeof *source->lines);
                source->lines[source->n_lines++] = (struct conf_line){text, shown};
                n += nl != NULL;
                text += n;
                len -= n;
        }
}
