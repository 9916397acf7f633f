/*
 * ctl.h - torc ctl's reply to `status`, for people and for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_CTL_H
#define CLI_CTL_H

#include <stdbool.h>

/* ctl_status - print the supervisor's lines of fields (supervisor/commands.c tells what they are) as tables or as
 * JSON. The text is taken apart. Returns an exit code. */
int ctl_status(char *text, bool json);

#endif
