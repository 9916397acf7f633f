/*
 * fuzz_conf.c - torc.ini: conf_load() on any bytes, its messages, and conf_dump() of what was accepted.
 *
 * The text goes through a file (so that "include" can meet itself) or comes from memory. Must hold:
 *   refused     the number of errors is what was returned, each begins "file:line:", and no configuration comes out
 *   accepted    the dump is a torc.ini that is accepted too
 *
 * SPDX-License-Identifier: MIT
 */
#include "private.h"

#include "conf.h"

static int conf_fd;
static char conf_path[128];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc, (void)argv;
        /* What ${...} finds is the same everywhere, as far as inputs know names. */
        setenv("HOME", "/home/somebody", 1);
        setenv("EMPTY", "", 1);
        snprintf(conf_path, sizeof conf_path, "%s/torc.ini", private_make());
        conf_fd = open(conf_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        MUST(conf_fd >= 0);
        return 0;
}

/* Every message is a line "torc.ini:LINE:COLUMN: ..." or without the numbers. */
static int count_errors(const char *text, const char *path)
{
        int n = 0;
        size_t len = strlen(path);
        for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
                n += !strncmp(line, path, len) && line[len] == ':';
        return n;
}

static void check_dump(const struct conf *conf)
{
        char *text = NULL, *messages = NULL;
        size_t len, messages_len;
        struct conf *again = NULL;
        FILE *out = open_memstream(&text, &len), *errors = open_memstream(&messages, &messages_len);
        MUST(out && errors);
        conf_dump(conf, out);
        fclose(out);
        int n = conf_load_string(&again, "dump", text, len, errors);
        fclose(errors);
        if (n)
                fprintf(stderr, "%s----\n%s", text, messages);
        MUST(n == 0 && again->n_streams == conf->n_streams && again->n_groups == conf->n_groups);
        conf_free(&again);
        free(text);
        free(messages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct conf *conf = NULL;
        char *messages = NULL;
        size_t len;
        FILE *errors = open_memstream(&messages, &len);
        MUST(errors);
        int n;
        if (size && data[size - 1] == '\n') {
                char *text = malloc(size); /* its end is watched */
                MUST(text);
                memcpy(text, data, size);
                n = conf_load_string(&conf, conf_path, text, size, errors);
                free(text);
        } else {
                MUST(ftruncate(conf_fd, 0) == 0 && pwrite(conf_fd, data, size, 0) == (ssize_t)size);
                n = conf_load(&conf, conf_path, errors);
        }
        fclose(errors);
        MUST(n >= 0 && (n == 0) == (conf != NULL));
        MUST(n == 0 ? len == 0 : len > 0);
        MUST(n == 0 || count_errors(messages, conf_path) >= 1);
        if (conf)
                check_dump(conf);
        conf_free(&conf);
        free(messages);
        return 0;
}
