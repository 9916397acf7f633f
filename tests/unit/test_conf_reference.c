/*
 * test_conf_reference.c - the table of keys in torc.ini(5) is the one in keys.def.
 *
 * links: conf/reference.c conf/keys.c conf/types.c conf/units.c conf/words.c conf/text.c conf/report.c conf/arena.c
 * links: libshm/name.c
 *
 * With TORC_GOLDEN_UPDATE=1 in the environment the page is written anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf.h"
#include "keys.h"

#define PAGE  "docs/man/torc.ini.5"
#define BEGIN ".\\\" BEGIN KEYS\n"
#define END   ".\\\" END KEYS\n"

static char *page_read(void)
{
        char *text = calloc(1, 1 << 18);
        FILE *f = fopen(PAGE, "r");

        assert_non_null(text);
        if (!f)
                fail_msg("run the tests from the top of the source tree: " PAGE " is not here");
        assert_true(fread(text, 1, (1 << 18) - 1, f) < (1 << 18) - 1);
        fclose(f);
        return text;
}

static void page_write(const char *page, const char *begin, const char *keys, const char *end)
{
        FILE *f = fopen(PAGE, "w");

        assert_non_null(f);
        fprintf(f, "%.*s%s%s", (int)(begin - page), page, keys, end);
        fclose(f);
}

static void reference_is_the_manual_page_s_table(void **state)
{
        char *page = page_read(), *keys, *begin = strstr(page, BEGIN), *end = strstr(page, END);
        size_t len;
        FILE *out = open_memstream(&keys, &len);

        (void)state;
        assert_non_null(out);
        conf_reference(out);
        fclose(out);
        assert_non_null(begin);
        assert_non_null(end);
        begin += strlen(BEGIN);
        if (getenv("TORC_GOLDEN_UPDATE"))
                page_write(page, begin, keys, end);
        else if ((size_t)(end - begin) != len || memcmp(begin, keys, len) != 0)
                fail_msg(PAGE " is not in step with conf/keys.def; TORC_GOLDEN_UPDATE=1 %s puts it right",
                         "build/tests/unit/test_conf_reference");
        free(keys);
        free(page);
}

static void reference_documents_every_key(void **state)
{
        (void)state;
        for (const struct conf_kind *kind = conf_kinds; kind < conf_kinds + CONF_KINDS; kind++)
                for (size_t i = 0; i < kind->n_keys; i++) {
                        size_t len = strlen(kind->keys[i].doc);

                        assert_true(len > 20);
                        assert_int_equal(kind->keys[i].doc[len - 1], '.');
                        assert_true(conf_type_words(kind->keys[i].type) || conf_type_syntax(kind->keys[i].type));
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reference_is_the_manual_page_s_table),
                cmocka_unit_test(reference_documents_every_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
