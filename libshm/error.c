/*
 * error.c - result codes as names and as text. Both come from TORC_ERRORS in torc.h; the system's from libc.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc.h"

#include <string.h>

static const struct {
        int code;
        const char *name, *text;
} errors[] = {
#define TORC_X(name, code, text) {code, #name, text},
        TORC_ERRORS(TORC_X)
#undef TORC_X
};

/* The entry of a code, or -1. A search: this is never on a fast path, and the codes may get gaps. */
static int error_find(int code)
{
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
                if (errors[i].code == code)
                        return (int)i;
        return -1;
}

/* Only -4095..-1 are errno values; -code cannot overflow then. */
static int error_errno(int code)
{
        return code < 0 && code >= -4095 ? -code : 0;
}

const char *torc_strerror(int code)
{
        int i = error_find(code);
        const char *text;

        if (code == 0)
                return "success";
        if (i >= 0)
                return errors[i].text;
        text = error_errno(code) ? strerrordesc_np(error_errno(code)) : NULL;
        return text ? text : "unknown result code";
}

const char *torc_errname(int code)
{
        int i = error_find(code);
        const char *name;

        if (code == 0)
                return "0";
        if (i >= 0)
                return errors[i].name;
        name = error_errno(code) ? strerrorname_np(error_errno(code)) : NULL;
        return name ? name : "?";
}
