/* Counts what a process does to files below one folder, and stops it at one of these events: LD_PRELOAD.
 *
 * Everything passes here that goes through the C library: Python's own calls, shutil's copies, and SQLite's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* What happens at the chosen event: a signal arrives before it, it fails, or from then on all that need room fail. */
enum { COUNT, SIGNAL, FAIL, FULL };

static char folder[PATH_MAX];
static size_t folder_length;
static int armed, seen, chosen, what_happens, number, exchange;

void faults_arm(const char *below, int at, int happens, int signal_or_error, int can_exchange) {
    folder_length = strlen(below);
    memcpy(folder, below, folder_length + 1);
    seen = 0, chosen = at, what_happens = happens, number = signal_or_error, exchange = can_exchange;
    armed = 1;
}

int faults_seen(void) {
    armed = 0;
    return seen;
}

static int lies_below(const char *path) {
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

static int open_below(int handle) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return lies_below(path);
}

/* The harness stands in the folder, so that relative paths lie below it. */
static int path_below(int at, const char *path) {
    return path[0] == '/' ? lies_below(path) : at == AT_FDCWD || open_below(at);
}

/* Whether this event has to fail. */
static int fails(int below, int takes_room) {
    if (!armed || !below) return 0;
    const int now = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (what_happens == SIGNAL && now == chosen) kill(getpid(), number);
    if ((what_happens == FAIL && now == chosen) || (what_happens == FULL && now >= chosen && takes_room)) {
        errno = number;
        return 1;
    }
    return 0;
}

#define EVENT(type, name, parameters, arguments, below, takes_room)        \
    type name parameters {                                                 \
        static type(*real) parameters;                                     \
        const int saved = errno;                                           \
        if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name);       \
        if (fails(below, takes_room)) return -1;                           \
        errno = saved;                                                     \
        return real arguments;                                             \
    }

#define OPEN(name, parameters, at, arguments, with_mode)                                        \
    int name parameters {                                                                       \
        static int(*real) parameters;                                                           \
        if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name);                            \
        const int writes = (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;              \
        if (writes && fails(path_below(at, path), (flags & O_CREAT) != 0)) return -1;           \
        if ((flags & (O_CREAT | O_TMPFILE)) == 0) return real arguments;                        \
        va_list more;                                                                           \
        va_start(more, flags);                                                                  \
        const mode_t mode = va_arg(more, mode_t);                                               \
        va_end(more);                                                                           \
        return real with_mode;                                                                  \
    }

OPEN(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags), (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), at, (at, path, flags), (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), at, (at, path, flags), (at, path, flags, mode))

EVENT(ssize_t, write, (int to, const void *from, size_t count), (to, from, count), open_below(to), 1)
EVENT(ssize_t, pwrite, (int to, const void *from, size_t count, off_t at), (to, from, count, at), open_below(to), 1)
EVENT(ssize_t, pwrite64, (int to, const void *from, size_t count, off64_t at), (to, from, count, at), open_below(to), 1)
EVENT(ssize_t, writev, (int to, const struct iovec *from, int count), (to, from, count), open_below(to), 1)
EVENT(ssize_t, sendfile, (int to, int from, off_t *at, size_t count), (to, from, at, count), open_below(to), 1)
EVENT(ssize_t, sendfile64, (int to, int from, off64_t *at, size_t count), (to, from, at, count), open_below(to), 1)
EVENT(int, fsync, (int handle), (handle), open_below(handle), 1)
EVENT(int, fdatasync, (int handle), (handle), open_below(handle), 1)
EVENT(int, ftruncate, (int handle, off_t length), (handle, length), open_below(handle), 0)
EVENT(int, ftruncate64, (int handle, off64_t length), (handle, length), open_below(handle), 0)
EVENT(int, rename, (const char *from, const char *to), (from, to), path_below(AT_FDCWD, to), 0)
EVENT(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), path_below(b, to), 0)
EVENT(int, mkdir, (const char *path, mode_t mode), (path, mode), path_below(AT_FDCWD, path), 1)
EVENT(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), path_below(at, path), 1)
EVENT(int, rmdir, (const char *path), (path), path_below(AT_FDCWD, path), 0)
EVENT(int, unlink, (const char *path), (path), path_below(AT_FDCWD, path), 0)
EVENT(int, unlinkat, (int at, const char *path, int flags), (at, path, flags), path_below(at, path), 0)
EVENT(int, link, (const char *from, const char *to), (from, to), path_below(AT_FDCWD, to), 1)
EVENT(int, symlink, (const char *from, const char *to), (from, to), path_below(AT_FDCWD, to), 1)
EVENT(int, chmod, (const char *path, mode_t mode), (path, mode), path_below(AT_FDCWD, path), 0)
EVENT(int, fchmod, (int handle, mode_t mode), (handle, mode), open_below(handle), 0)
EVENT(int, fchmodat, (int at, const char *path, mode_t mode, int flags), (at, path, mode, flags), path_below(at, path), 0)
EVENT(int, fchown, (int handle, uid_t owner, gid_t group), (handle, owner, group), open_below(handle), 0)

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    static int (*real)(int, const char *, int, const char *, unsigned);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "renameat2");
    if (armed && !exchange) {
        errno = EINVAL;
        return -1;
    }
    if (fails(path_below(b, to), 0)) return -1;
    return real(a, from, b, to, flags);
}
