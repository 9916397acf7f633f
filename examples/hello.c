/* hello.c - a producer and a consumer on one stream; each would usually live in a process of its own. */
#include <stdio.h>
#include <string.h>
#include <torc.h>

static int check(int result, const char *what)
{
        if (result < 0)
                fprintf(stderr, "%s: %s\n", what, torc_strerror(result));
        return result < 0;
}

int main(void)
{
        const char *greeting = "hello through shared memory";
        struct torc_bus *bus = NULL;
        struct torc_consumer *in = NULL;
        struct torc_producer *out = NULL;
        struct torc_view view;
        int failed = check(torc_bus_open(&bus, NULL), "attach") ||
                     check(torc_consumer_open(&in, bus, "greetings", NULL), "open consumer") ||
                     check(torc_producer_open(&out, bus, "greetings", NULL), "open producer") ||
                     check(torc_producer_send(out, greeting, strlen(greeting), 1000, NULL), "send") ||
                     check(torc_consumer_view(in, &view, 1000), "receive"); /* in place: nothing is copied */
        if (!failed) {
                printf("%.*s\n", (int)view.len, (const char *)view.data);
                failed = check(torc_consumer_release(in), "release"); /* the bytes were whole all the time */
        }
        torc_producer_close(&out);
        torc_consumer_close(&in);
        torc_bus_close(&bus);
        return failed;
}
