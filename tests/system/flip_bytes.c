/*
 * flip_bytes.c - a byte flipped, or a word overwritten, anywhere in the files of a bus: whoever uses it gets results or
 * errors; never a signal, a hang, or bytes from outside the map.
 *
 * Each case runs on a fresh copy of the files and in a process of its own, named by {seed, number}; most are damaged
 * before the bus is opened, some while it is in use.
 *
 *      TORC_FLIPS=10000   how many bytes, and a third as many words
 *      TORC_SEED=7        other ones
 *      TORC_FLIP=123      only this one, without a process of its own: for a debugger (-w for words)
 *
 * SPDX-License-Identifier: MIT
 */
#include "flip_use.h"

#define FLIP_WORKERS 8
#define FLIP_SECONDS 60    /* a process that lives longer hangs */
#define FLIP_PROGRAMS 40   /* the programs look at one copy in so many */

enum flip_kind { FLIP_BYTE, FLIP_WORD };

struct flip {
        enum flip_kind kind;
        long number;
        uint64_t seed;
        const struct flip_file *file;
        size_t offset;
        uint64_t value; /* to xor with the byte, or to put in the word's place */
        char root[128];
};

static struct flip_bus flip_files;

/* ---- where and what -------------------------------------------------------------------------------------- */

/* A third anywhere, a third among the bytes that are not zero, a third among the headers' words. */
static size_t flip_offset(const struct flip_file *f, uint64_t *seed)
{
        size_t n = 0, at = test_random(seed) % f->size;
        uint64_t third = test_random(seed) % 3;
        if (third == 0)
                return at;
        if (third == 1)
                return at % 1024;
        for (size_t i = 0; i < f->size; i++)
                n += f->bytes[i] != 0;
        n = test_random(seed) % n;
        for (at = 0; f->bytes[at] == 0 || n-- > 0;)
                at++;
        return at;
}

static uint64_t flip_word(const unsigned char *old, uint64_t *seed)
{
        static const uint64_t special[] = {0, 1, 2, 8, 15, 16, 255, 4096, UINT32_MAX, 1ull << 32, 1ull << 40,
                                           (1ull << 62) + 16, 1ull << 63, INT64_MAX, UINT64_MAX, UINT64_MAX - 1,
                                           UINT64_MAX - 15, UINT64_MAX - 4095};
        uint64_t n = test_random(seed) % 32, word;
        memcpy(&word, old, sizeof word);
        if (n < sizeof special / sizeof *special)
                return special[n];
        return n < 24 ? word + (n - 16) * 16 - 64 : n < 28 ? word + (n & 1 ? 1 : -1ull) : test_random(seed);
}

static void flip_choose(struct flip *f, enum flip_kind kind, uint64_t seed, long number)
{
        *f = (struct flip){.kind = kind, .number = number, .seed = seed * 1000003 + (uint64_t)number};
        do
                f->file = &flip_files.file[test_random(&f->seed) % flip_files.n];
        while (!f->file->size);
        f->offset = flip_offset(f->file, &f->seed);
        if (kind == FLIP_WORD) {
                f->offset &= ~(size_t)7;
                f->value = flip_word(f->file->bytes + f->offset, &f->seed);
        } else {
                f->value = test_random(&f->seed) & 1 ? 1ull << test_random(&f->seed) % 8 : test_random(&f->seed) % 255 + 1;
        }
}

static void flip_do(void *arg)
{
        const struct flip *f = arg;
        char path[300];
        unsigned char byte;
        snprintf(path, sizeof path, "%s/bus/%s", f->root, f->file->path);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return; /* reclaimed or removed by now */
        if (f->kind == FLIP_WORD) {
                CHECK(pwrite(fd, &f->value, 8, (off_t)f->offset) == 8);
        } else {
                CHECK(pread(fd, &byte, 1, (off_t)f->offset) == 1);
                byte ^= (unsigned char)f->value;
                CHECK(pwrite(fd, &byte, 1, (off_t)f->offset) == 1);
        }
        close(fd);
}

static void flip_name(const struct flip *f, char *text, size_t cap)
{
        snprintf(text, cap, "TORC_FLIP=%ld%s: %s offset %zu %s 0x%" PRIx64, f->number,
                 f->kind == FLIP_WORD ? " -w" : "", f->file->path, f->offset, f->kind == FLIP_WORD ? "=" : "^=",
                 f->value);
}

/* ---- the programs ---------------------------------------------------------------------------------------- */

static pid_t flip_start(const struct flip *f, char *const argv[])
{
        const char *build = getenv("TORC_TEST_BUILD");
        char path[256];
        snprintf(path, sizeof path, "%s/bin/%s", build ? build : "build", argv[0]);
        if (access(path, X_OK))
                return 0;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);
                setenv("TORC_ROOT", f->root, 1);
                setenv("TORC_BUS", "bus", 1);
                setenv("ASAN_OPTIONS", "exitcode=99", 1); /* tell its findings from a program's own exit codes */
                setenv("UBSAN_OPTIONS", "exitcode=99", 1);
                dup2(null, 0), dup2(null, 1), dup2(null, 2);
                alarm(FLIP_SECONDS / 2);
                execv(path, argv);
                _exit(0); /* it is being built right now */
        }
        return pid;
}

static void flip_finish(pid_t pid, char *const argv[], bool terminated)
{
        int status;
        CHECK(waitpid(pid, &status, 0) == pid);
        if (terminated && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
                return; /* before it got so far as to listen */
        if (!WIFEXITED(status) || WEXITSTATUS(status) >= 99) {
                fprintf(stderr, "%s %s: wait status 0x%x\n", argv[0], argv[1], (unsigned)status);
                _exit(99);
        }
}

static void flip_run(const struct flip *f, char *const argv[])
{
        pid_t pid = flip_start(f, argv);
        if (pid)
                flip_finish(pid, argv, false);
}

/* A supervisor comes to the damaged bus, looks around for a while, and is told to go. */
static void flip_run_torcd(const struct flip *f)
{
        char path[256];
        snprintf(path, sizeof path, "%s/torc.ini", f->root);
        FILE *ini = fopen(path, "w");
        CHECK(ini);
        fprintf(ini, "[bus]\nname = bus\nroot = %s\n[log]\ndirectory = %s/log\n"
                     "[stream grown]\n[stream plain]\n[group workers]\ncommand = sleep 60\nstream = plain\n", f->root,
                f->root);
        CHECK(fclose(ini) == 0);
        char *const argv[] = {"torcd", "-c", path, NULL};
        pid_t pid = flip_start(f, argv);
        if (!pid)
                return;
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* its reaps, nudges and first starts */
        kill(pid, SIGTERM);
        flip_finish(pid, argv, true);
}

static void flip_run_programs(const struct flip *f)
{
        flip_run(f, (char *[]){"torc", "stat", NULL});
        flip_run(f, (char *[]){"torc", "stat", "--json", NULL});
        flip_run(f, (char *[]){"torc", "ls", NULL});
        flip_run(f, (char *[]){"torctop", "--once", NULL});
        flip_run(f, (char *[]){"torctop", "--json", NULL});
}

/* ---- one case -------------------------------------------------------------------------------------------- */

static void flip_case(struct flip *f, struct use *u)
{
        u->root = f->root;
        u->seed = f->seed;
        u->whole = !strstr(f->file->path, "/0.");
        if (f->number % FLIP_PROGRAMS == 0) {
                flip_do(f);
                flip_run_programs(f);
                if (f->number % (2 * FLIP_PROGRAMS) == 0) {
                        flip_run_torcd(f);
                        return; /* it has cleaned up: nothing much is left to do */
                }
                if (f->kind == FLIP_BYTE)
                        flip_do(f); /* back */
        }
        use_bus(u, flip_do, f);
}

/* What came of it, as the parent sees it. True: all is well. */
static bool flip_judge(const struct flip *f, const struct use *u, int status)
{
        char name[256];
        flip_name(f, name, sizeof name);
        if (WIFSIGNALED(status))
                print_error("%s: %s in %s\n", name,
                            WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)), atomic_load(&u->step));
        else if (WEXITSTATUS(status) == 90)
                print_error("%s: %s after %" PRId64 " ms: %s\n", name, atomic_load(&u->step),
                            atomic_load(&u->bad_ms), torc_errname(atomic_load(&u->bad_code)));
        else if (WEXITSTATUS(status))
                print_error("%s: exit code %d in %s\n", name, WEXITSTATUS(status), atomic_load(&u->step));
        else if (u->whole && atomic_load(&u->torn))
                print_error("%s: %u torn messages were delivered\n", name, atomic_load(&u->torn));
        else
                return true;
        return false;
}

struct worker {
        pid_t pid;
        struct flip flip;
        struct use *use; /* shared with the process */
};

static void worker_start(struct worker *w, struct test *t, int place, const struct flip *f)
{
        w->flip = *f;
        snprintf(w->flip.root, sizeof w->flip.root, "%s/%d", t->root, place);
        mkdir(w->flip.root, 0700);
        assert_int_equal(flip_store(&flip_files, w->flip.root), 0);
        memset(w->use, 0, sizeof *w->use);
        fflush(NULL);
        w->pid = fork();
        assert_true(w->pid >= 0);
        if (w->pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                alarm(FLIP_SECONDS);
                flip_case(&w->flip, w->use);
                _exit(0);
        }
}

struct flip_sums {
        long failed, noticed;
        uint64_t calls, corrupt, read;
};

static void worker_reap(struct worker *w, size_t n, struct flip_sums *sums)
{
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        for (size_t i = 0; i < n; i++) {
                if (w[i].pid != pid)
                        continue;
                sums->failed += !flip_judge(&w[i].flip, w[i].use, status);
                sums->noticed += atomic_load(&w[i].use->corrupt) > 0;
                sums->calls += atomic_load(&w[i].use->calls);
                sums->corrupt += atomic_load(&w[i].use->corrupt);
                sums->read += atomic_load(&w[i].use->read);
                w[i].pid = 0;
        }
}

static void flip_all(struct test *t, enum flip_kind kind, long flips)
{
        uint64_t seed = (uint64_t)test_param("TORC_SEED", 1);
        struct worker w[FLIP_WORKERS] = {0};
        struct flip_sums sums = {0};
        size_t n = FLIP_WORKERS, busy = 0; /* they mostly sleep */
        test_seconds(300 + (unsigned)flips);
        assert_int_equal(flip_load(&flip_files, t), 0);
        for (size_t i = 0; i < n; i++) {
                w[i].use = mmap(NULL, sizeof *w[i].use, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
                assert_true(w[i].use != MAP_FAILED);
        }
        for (long number = 1; number <= flips || busy; number++) {
                struct flip f;
                size_t i = 0;
                for (; busy == n || (number > flips && busy); busy--)
                        worker_reap(w, n, &sums);
                if (number > flips || sums.failed > 20)
                        break;
                while (w[i].pid)
                        i++;
                flip_choose(&f, kind, seed, number);
                worker_start(&w[i], t, (int)i, &f);
                busy++;
        }
        for (; busy; busy--)
                worker_reap(w, n, &sums);
        print_message("%ld %s, seed %" PRIu64 ": %ld noticed as damage, %" PRIu64 " calls, %" PRIu64
                      " said ECORRUPT, %" PRIu64 " messages read\n",
                      flips, kind == FLIP_WORD ? "words" : "bytes", seed, sums.noticed, sums.calls, sums.corrupt,
                      sums.read);
        for (size_t i = 0; i < n; i++)
                munmap(w[i].use, sizeof *w[i].use);
        flip_unload(&flip_files);
        flip_files.n = 0;
        assert_int_equal(sums.failed, 0);
}

static void byte_when_flipped_anywhere_is_an_error_or_nothing(void **state)
{
        flip_all(*state, FLIP_BYTE, test_param("TORC_FLIPS", 1000));
}

static void word_when_overwritten_anywhere_is_an_error_or_nothing(void **state)
{
        flip_all(*state, FLIP_WORD, test_param("TORC_FLIPS", 1000) / 3);
}

/* One case in this very process. */
static void one_case(void **state)
{
        struct test *t = *state;
        struct flip f;
        char name[256];
        struct use *use = calloc(1, sizeof *use);
        const char *words = getenv("TORC_FLIP_WORD");
        test_seconds(3600);
        assert_int_equal(flip_load(&flip_files, t), 0);
        flip_choose(&f, words ? FLIP_WORD : FLIP_BYTE, (uint64_t)test_param("TORC_SEED", 1),
                    test_param("TORC_FLIP", 1));
        snprintf(f.root, sizeof f.root, "%s", t->root);
        assert_int_equal(flip_store(&flip_files, t->root), 0);
        flip_name(&f, name, sizeof name);
        print_message("%s\n", name);
        flip_case(&f, use);
        print_message("%u calls, %u ECORRUPT, %u read, %u torn\n", use->calls, use->corrupt, use->read, use->torn);
        free(use);
        flip_unload(&flip_files);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest all[] = {TEST(byte_when_flipped_anywhere_is_an_error_or_nothing),
                                         TEST(word_when_overwritten_anywhere_is_an_error_or_nothing)};
        const struct CMUnitTest one[] = {TEST(one_case)};
        if (argc > 1 && !strcmp(argv[1], "-w"))
                setenv("TORC_FLIP_WORD", "1", 1);
        return getenv("TORC_FLIP") ? TEST_MAIN(one) : TEST_MAIN(all);
}
