/*
 * stress_message.h - messages that tell when they are torn, lost, doubled or out of order.
 *
 *      {check, sender, seq} body
 *
 * The body is random by {sender, seq}; `check` covers all of it and the length, so that bytes of two messages never
 * pass for one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_STRESS_MESSAGE_H
#define TORC_STRESS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct message_head {
        uint64_t check;
        uint64_t sender;
        uint64_t seq; /* of this sender, from 0, without gaps */
};

static inline uint64_t message_mix(uint64_t x)
{
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
        return x ^ (x >> 31);
}

static inline uint64_t message_check(const struct message_head *head, const unsigned char *body, size_t n)
{
        uint64_t h = message_mix(head->sender ^ message_mix(head->seq ^ message_mix(n + 1))), word;
        for (; n >= 8; n -= 8, body += 8) {
                memcpy(&word, body, 8);
                h = message_mix(h ^ word);
        }
        word = 0;
        memcpy(&word, body, n);
        return message_mix(h ^ word);
}

/* Write a message of `len` bytes, at least sizeof(struct message_head). */
static inline void message_fill(void *to, size_t len, uint64_t sender, uint64_t seq)
{
        struct message_head head = {.sender = sender, .seq = seq};
        unsigned char *body = (unsigned char *)to + sizeof head;
        size_t n = len - sizeof head;
        uint64_t word = message_mix(sender * 0x9e3779b97f4a7c15ull ^ seq);
        for (size_t i = 0; i < n; i += 8) {
                word = word * 0xbf58476d1ce4e5b9ull + 0x94d049bb133111ebull;
                memcpy(body + i, &word, n - i < 8 ? n - i : 8);
        }
        head.check = message_check(&head, body, n);
        memcpy(to, &head, sizeof head);
}

/* Is it whole? Fills in *head. */
static inline bool message_whole(const void *from, size_t len, struct message_head *head)
{
        if (len < sizeof *head)
                return false;
        memcpy(head, from, sizeof *head);
        return head->check == message_check(head, (const unsigned char *)from + sizeof *head, len - sizeof *head);
}

/* Mostly small ones, some up to `max`. */
static inline size_t message_size(uint64_t random, size_t max)
{
        size_t room = max - sizeof(struct message_head);
        if (random % 16)
                room = room < 96 ? room : 96;
        return sizeof(struct message_head) + (size_t)((random >> 8) % (room + 1));
}

#endif
