/*
 * test_conf.c - torc.ini: what is refused and how it is told, what is accepted and as what.
 *
 * links: conf/conf.c conf/build.c conf/check.c conf/types.c conf/keys.c conf/read.c conf/text.c conf/report.c
 * links: conf/source.c conf/arena.c conf/units.c conf/words.c conf/dump.c conf/show.c libshm/name.c
 *
 * tests/golden/conf holds pairs NAME.ini and NAME.out: the errors of NAME.ini, or its dump if there are none. With
 * TORC_GOLDEN_UPDATE=1 in the environment the .out files are written anew; look at the difference before you commit
 * it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf.h"

#define GOLDEN    "tests/golden/conf"
#define LINE_FITS 198 /* bytes of a line that Debian's inih takes */

/* A file loaded from memory: its errors, or the configuration. */
struct loaded {
        struct conf *conf;
        int errors;
        char *text;
        size_t len;
};

static struct loaded load_bytes(const char *bytes, size_t len)
{
        struct loaded l = {0};
        FILE *out = open_memstream(&l.text, &l.len);

        assert_non_null(out);
        l.errors = conf_load_string(&l.conf, "torc.ini", bytes, len, out);
        fclose(out);
        assert_true((l.errors == 0) == (l.conf != NULL));
        assert_true((l.errors == 0) == (l.len == 0));
        return l;
}

static struct loaded load(const char *text)
{
        return load_bytes(text, strlen(text));
}

static void unload(struct loaded *l)
{
        conf_free(&l->conf);
        assert_null(l->conf);
        free(l->text);
}

/* The file has exactly one error, and this is how its message begins. */
static void assert_error(const char *bytes, size_t len, const char *message)
{
        struct loaded l = load_bytes(bytes, len);

        if (l.errors != 1 || strncmp(l.text, message, strlen(message)) != 0)
                fail_msg("expected one error \"%s\", got %d:\n%s", message, l.errors, l.text);
        unload(&l);
}

static char *read_whole(const char *path)
{
        FILE *f = fopen(path, "r");
        char *text = calloc(1, 1 << 16);

        assert_non_null(text);
        if (!f) {
                free(text);
                return NULL;
        }
        assert_true(fread(text, 1, (1 << 16) - 1, f) < (1 << 16) - 1);
        fclose(f);
        return text;
}

/* What the golden file should say: errors, or the dump. */
static char *outcome(const char *ini)
{
        struct conf *conf;
        char *text;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        if (conf_load(&conf, ini, out) == 0)
                conf_dump(conf, out);
        conf_free(&conf);
        fclose(out);
        return text;
}

static void check_golden(const char *ini)
{
        char path[PATH_MAX];
        char *got = outcome(ini), *want;
        FILE *f;

        assert_true(snprintf(path, sizeof path, "%.*s.out", (int)(strlen(ini) - 4), ini) < (int)sizeof path);
        if (getenv("TORC_GOLDEN_UPDATE")) {
                f = fopen(path, "w");
                assert_non_null(f);
                fputs(got, f);
                fclose(f);
        }
        want = read_whole(path);
        if (!want || strcmp(got, want) != 0)
                fail_msg("%s differs from %s; got:\n%s", ini, path, got);
        free(want);
        free(got);
}

static void conf_golden_files_give_their_output(void **state)
{
        char back[PATH_MAX];
        struct dirent *entry;
        int n = 0;
        DIR *dir;

        (void)state;
        assert_non_null(getcwd(back, sizeof back));
        if (chdir(GOLDEN) < 0)
                fail_msg("run the tests from the top of the source tree: " GOLDEN " is not here");
        dir = opendir(".");
        assert_non_null(dir);
        while ((entry = readdir(dir))) {
                size_t len = strlen(entry->d_name);

                if (len > 4 && strcmp(entry->d_name + len - 4, ".ini") == 0) {
                        check_golden(entry->d_name);
                        n++;
                }
        }
        closedir(dir);
        assert_int_equal(chdir(back), 0);
        assert_true(n >= 8);
}

static void conf_six_mistakes_give_six_errors(void **state)
{
        struct conf *conf = (struct conf *)1;
        char *text;
        size_t len, carets = 0;
        FILE *out = open_memstream(&text, &len);

        (void)state;
        assert_int_equal(conf_load(&conf, GOLDEN "/six-mistakes.ini", out), 6);
        assert_null(conf);
        fclose(out);
        for (const char *s = text; (s = strstr(s, "| ")); s++)
                carets += s[2 + strspn(s + 2, " ")] == '^';
        assert_int_equal(carets, 6);
        free(text);
}

static void conf_demo_file_is_right(void **state)
{
        struct conf *conf;

        (void)state;
        assert_int_equal(conf_load(&conf, "conf/demo.ini", stderr), 0);
        assert_int_equal(conf->n_streams, 2);
        assert_int_equal(conf->n_groups, 2);
        conf_free(&conf);
}

/* ---- what a file may look like ---- */

static void conf_empty_file_is_all_defaults(void **state)
{
        struct loaded l = load("");

        (void)state;
        assert_int_equal(l.errors, 0);
        assert_string_equal(l.conf->bus.name, "default");
        assert_null(l.conf->bus.root);
        assert_string_equal(l.conf->bus.tags, "");
        assert_int_equal(l.conf->bus.mode, 0600);
        assert_int_equal(l.conf->bus.fence_grace_ms, 5000);
        assert_int_equal(l.conf->bus.origin[0].line, 0);
        assert_null(l.conf->log.directory);
        assert_int_equal(l.conf->log.max_size_bytes, 10 << 20);
        assert_int_equal(l.conf->log.files, 5);
        assert_int_equal(l.conf->log.full, CONF_LOG_DROP);
        assert_int_equal(l.conf->n_streams + l.conf->n_groups, 0);
        unload(&l);
}

static void conf_section_without_keys_exists(void **state)
{
        struct loaded l = load("[stream a]\n[stream b]");

        (void)state;
        assert_int_equal(l.errors, 0);
        assert_int_equal(l.conf->n_streams, 2);
        assert_string_equal(l.conf->streams[1].name, "b");
        assert_int_equal(l.conf->streams[1].section.line, 2);
        assert_int_equal(l.conf->streams[1].uid, -1);
        assert_int_equal(l.conf->streams[1].mode, 0);
        unload(&l);
}

static void conf_group_defaults(void **state)
{
        struct loaded l = load("[group g]\ncommand = a b\n");
        const struct conf_group *g;

        (void)state;
        assert_int_equal(l.errors, 0);
        g = &l.conf->groups[0];
        assert_string_equal(g->argv[0], "a");
        assert_string_equal(g->argv[1], "b");
        assert_null(g->argv[2]);
        assert_string_equal(g->command, "a b");
        assert_int_equal(g->count, 1);
        assert_null(g->stream);
        assert_int_equal(g->access, TORC_SHARED);
        assert_int_equal(g->restart, CONF_PERMANENT);
        assert_int_equal(g->backoff_min_ms, 100);
        assert_int_equal(g->backoff_max_ms, 30000);
        assert_int_equal(g->stable_after_ms, 10000);
        assert_int_equal(g->max_restarts, 100);
        assert_int_equal(g->restart_period_ms, 60000);
        assert_int_equal(g->start_delay_ms, 1000);
        assert_int_equal(g->start_jitter_ms, 1000);
        assert_int_equal(g->stop_signal, SIGTERM);
        assert_int_equal(g->stop_timeout_ms, 5000);
        assert_int_equal(g->n_env, 0);
        assert_int_equal(g->uid, -1);
        assert_int_equal(g->umask, -1);
        assert_int_equal(g->nice, 0);
        unload(&l);
}

static void conf_crlf_bom_and_missing_newline_change_nothing(void **state)
{
        struct loaded l = load("\xEF\xBB\xBF[bus]\r\nname = market\r\n\r\nfence_grace = 1s");

        (void)state;
        assert_int_equal(l.errors, 0);
        assert_string_equal(l.conf->bus.name, "market");
        assert_int_equal(l.conf->bus.fence_grace_ms, 1000);
        unload(&l);
}

static void conf_bytes_that_are_no_text_are_refused(void **state)
{
        (void)state;
        assert_error("[bus]\nname = a\0b\n", 17, "torc.ini:2:9: control character 0x00\n     2 | name = a?b\n");
        assert_error("[bus]\n\0name = a\n", 16, "torc.ini:2:1: control character 0x00");
        assert_error("[bus]\nname = a\x1b[2J\n", 19, "torc.ini:2:9: control character 0x1b");
        assert_error("[bus]\nname = a\rb\n", 17, "torc.ini:2:9: control character 0x0d");
        assert_error("[bus]\nname = \xff\n", 15, "torc.ini:2:8: byte 0xff is not UTF-8");
        assert_error("[bus]\nname = \xc0\xaf\n", 16, "torc.ini:2:8: byte 0xc0 is not UTF-8");
        assert_error("[bus]\nname = \xe2\x82\n", 16, "torc.ini:2:8: byte 0xe2 is not UTF-8");
        assert_error("; \0 in a comment\n", 17, "torc.ini:1:3: control character 0x00");
}

static void conf_columns_count_characters(void **state)
{
        const char *text = "[stream \xc3\xa9]\nonline_tags = \xc3\xa9\xc3\xa9, b\n[x\xc3\xa9\xc3\xa9] z\n";

        (void)state;
        struct loaded l = load(text);
        assert_int_equal(l.errors, 3);
        assert_non_null(strstr(l.text, "torc.ini:2:15: "));
        assert_non_null(strstr(l.text, "|               ^~~~~\n"));
        assert_non_null(strstr(l.text, "torc.ini:3:7: "));
        unload(&l);
}

/* ---- nothing is cut ---- */

/* inih would hand out a cut value here. Whatever the length: the value is whole, or the file is refused. */
static void conf_value_of_any_length_is_whole_or_refused(void **state)
{
        char text[600], value[401];

        (void)state;
        for (int n = 1; n <= 400; n++) {
                struct loaded l;
                int used;

                for (int i = 0; i < n; i++)
                        value[i] = (char)('a' + i % 26);
                value[n] = 0;
                used = snprintf(text, sizeof text, "[group g]\ncommand = x\nenv.V = %s\nenv.W = y\n", value);
                assert_true(used < (int)sizeof text);
                l = load(text);
                assert_int_equal(l.errors, n + 8 <= LINE_FITS ? 0 : 1);
                if (l.conf)
                        assert_string_equal(l.conf->groups[0].env[0].value, value);
                else
                        assert_non_null(strstr(l.text, "torc.ini:3:199: the line is "));
                unload(&l);
        }
}

static void conf_key_and_section_of_any_length_are_whole_or_refused(void **state)
{
        char text[300], name[101];

        (void)state;
        for (int n = 1; n <= 100; n++) {
                struct loaded l;

                memset(name, 'N', (size_t)n);
                name[n] = 0;
                assert_true(snprintf(text, sizeof text, "[group g]\ncommand = x\nenv.%s = 1\n  2\n", name) > 0);
                l = load(text);
                assert_int_equal(l.errors, n + 4 <= 49 ? 0 : 1);
                if (l.conf) {
                        assert_string_equal(l.conf->groups[0].env[0].name, name);
                        assert_string_equal(l.conf->groups[0].env[0].value, "1 2");
                }
                unload(&l);
                assert_true(snprintf(text, sizeof text, "[stream %s]\n", name) > 0);
                l = load(text);
                assert_int_equal(l.errors, n + 7 <= 49 ? 0 : 1);
                if (l.conf)
                        assert_string_equal(l.conf->streams[0].name, name);
                unload(&l);
        }
}

static void conf_continued_value_has_no_limit(void **state)
{
        char text[4096] = "[stream s]\nname = n", want[201] = "n";
        struct loaded l;

        (void)state;
        while (strlen(want) + 9 < sizeof want) {
                strcat(text, "\\\n   123456789");
                strcat(want, "123456789");
        }
        l = load(text);
        assert_int_equal(l.errors, 0);
        assert_string_equal(l.conf->streams[0].name, want);
        unload(&l);
}

static void conf_continuation_of_a_refused_key_is_refused_with_it(void **state)
{
        const char *text = "[group g]\ncommand = x\nno equals sign\n  y z\n";

        (void)state;
        assert_error(text, strlen(text), "torc.ini:3:1: this is neither");
}

static void conf_keys_after_a_refused_section_do_not_fall_to_the_one_before(void **state)
{
        struct loaded l = load("[stream a]\nlag = skip\n[stream \x01]\nlag = block\n");

        (void)state;
        assert_int_equal(l.errors, 1);
        assert_null(strstr(l.text, "lag"));
        unload(&l);
}

/* ---- files ---- */

static void assert_load_fails(const char *path, const char *message)
{
        struct conf *conf = (struct conf *)1;
        char *text;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        assert_int_equal(conf_load(&conf, path, out), 1);
        assert_null(conf);
        fclose(out);
        if (!strstr(text, message) || strncmp(text, path, strlen(path)) != 0)
                fail_msg("expected \"%s: %s\", got \"%s\"", path, message, text);
        free(text);
}

static void conf_unreadable_files_are_errors(void **state)
{
        char path[] = "/tmp/torc-conf-XXXXXX";
        int fd = mkstemp(path);
        uid_t uid = geteuid();

        (void)state;
        assert_true(fd >= 0);
        assert_load_fails("/nonexistent/torc.ini", "cannot be read: No such file or directory");
        assert_load_fails("/", "cannot be read: Is a directory");
        assert_int_equal(fchmod(fd, 0), 0);
        if (uid == 0)
                assert_int_equal(seteuid(65534), 0); /* root may read everything */
        assert_load_fails(path, "cannot be read: Permission denied");
        if (uid == 0)
                assert_int_equal(seteuid(uid), 0);
        assert_int_equal(fchmod(fd, 0600), 0);
        assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
        assert_load_fails(path, "larger than 1048576 bytes");
        close(fd);
        unlink(path);
}

static void conf_error_flood_is_counted_not_shown(void **state)
{
        char text[3001] = "";
        struct loaded l;

        (void)state;
        for (int i = 0; i < 1000; i++)
                memcpy(text + 3 * i, "xy\n", 4);
        l = load(text);
        assert_int_equal(l.errors, 1000);
        assert_non_null(strstr(l.text, "\n900 more errors are not shown\n"));
        unload(&l);
}

/* ---- dump ---- */

static char *dump(const struct conf *conf)
{
        char *text;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        conf_dump(conf, out);
        fclose(out);
        return text;
}

/* Without comments and the blanks before them. */
static void strip_comments(char *text)
{
        char *to = text;

        for (const char *s = text; *s; s++) {
                if (*s == ';') {
                        while (to > text && to[-1] == ' ')
                                to--;
                        s += strcspn(s, "\n");
                }
                *to++ = *s;
        }
        *to = 0;
}

static void conf_dump_loads_as_the_same_configuration(void **state)
{
        char *source = read_whole(GOLDEN "/full.ini"), *first, *second;
        struct loaded l = load(source), again;

        (void)state;
        assert_int_equal(l.errors, 0);
        first = dump(l.conf);
        again = load(first);
        if (again.errors)
                fail_msg("a dump does not load:\n%s\n%s", again.text, first);
        second = dump(again.conf);
        strip_comments(first);
        strip_comments(second);
        assert_string_equal(first, second);
        assert_string_equal(l.conf->groups[0].argv[4], "it is \"quoted\"");
        assert_string_equal(again.conf->groups[0].argv[4], "it is \"quoted\"");
        free(first);
        free(second);
        free(source);
        unload(&l);
        unload(&again);
}

/* Damaged files: never a crash, and all or nothing. Sanitizers watch. */
static void conf_random_damage_is_survived(void **state)
{
        static const char bytes[] = "[]=:;#\\\"'$ {}\n\t\r\x00\xff\x1b.-/0a";
        char *source = read_whole(GOLDEN "/full.ini");
        size_t len = strlen(source);
        char *copy = malloc(len);
        uint32_t seed = 12345;

        (void)state;
        assert_non_null(copy);
        for (int round = 0; round < 2000; round++) {
                struct loaded l;

                memcpy(copy, source, len);
                for (int i = 0; i <= round % 8; i++) {
                        seed = seed * 1664525 + 1013904223;
                        copy[(seed >> 8) % len] = bytes[(seed >> 4) % (sizeof bytes - 1)];
                }
                l = load_bytes(copy, round % 5 ? len : (seed >> 8) % len);
                if (l.conf)
                        free(dump(l.conf));
                unload(&l);
        }
        free(copy);
        free(source);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(conf_golden_files_give_their_output),
                cmocka_unit_test(conf_six_mistakes_give_six_errors),
                cmocka_unit_test(conf_demo_file_is_right),
                cmocka_unit_test(conf_empty_file_is_all_defaults),
                cmocka_unit_test(conf_section_without_keys_exists),
                cmocka_unit_test(conf_group_defaults),
                cmocka_unit_test(conf_crlf_bom_and_missing_newline_change_nothing),
                cmocka_unit_test(conf_bytes_that_are_no_text_are_refused),
                cmocka_unit_test(conf_columns_count_characters),
                cmocka_unit_test(conf_value_of_any_length_is_whole_or_refused),
                cmocka_unit_test(conf_key_and_section_of_any_length_are_whole_or_refused),
                cmocka_unit_test(conf_continued_value_has_no_limit),
                cmocka_unit_test(conf_continuation_of_a_refused_key_is_refused_with_it),
                cmocka_unit_test(conf_keys_after_a_refused_section_do_not_fall_to_the_one_before),
                cmocka_unit_test(conf_unreadable_files_are_errors),
                cmocka_unit_test(conf_error_flood_is_counted_not_shown),
                cmocka_unit_test(conf_dump_loads_as_the_same_configuration),
                cmocka_unit_test(conf_random_damage_is_survived),
        };

        unsetenv("TORC_TEST_UNSET");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
