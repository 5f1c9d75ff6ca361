/* Faults at write points, for LD_PRELOAD: the k-th change of a file below a folder fails, or kills a process.

   The file that FAULTS_FILE names is shared by all processes of a trial and holds `struct faults`; the program
   `faults.py` fills it and reads the count. A write point is a call that makes, renames, links, syncs or writes to a
   file or folder below `root`. From the k-th on, ENOSPC and EIO stay: a full or broken disk stays full or broken. */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, NO_SPACE, IO_ERROR, SHORT_WRITE, KILL };

struct faults {
    long kind, at, count, victim;
    char root[480];
};

static struct faults *shared;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *memory = mmap(NULL, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED) shared = memory;
    close(file);
}

static int is_watched(const char *path) {
    char whole[PATH_MAX];
    if (!shared || !shared->root[0] || !path) return 0;
    if (path[0] != '/') {
        if (!getcwd(whole, sizeof whole)) return 0;
        return strncmp(whole, shared->root, strlen(shared->root)) == 0;
    }
    return strncmp(path, shared->root, strlen(shared->root)) == 0;
}

static int is_watched_file(int file) {
    char link[64], path[PATH_MAX];
    struct stat status;
    if (!shared || !shared->root[0] || fstat(file, &status) != 0) return 0;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_watched(path);
}

/* Return the fault of this point: NONE, SHORT_WRITE, or an error whose number was set. */
static long fault(int watched) {
    if (!watched) return NONE;
    long number = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    if (shared->kind == NONE || shared->at <= 0 || number < shared->at) return NONE;
    if (shared->kind == KILL && number == shared->at) {
        kill((pid_t)shared->victim, SIGKILL);
        pause();
    }
    if (shared->kind == NO_SPACE) errno = ENOSPC;
    if (shared->kind == IO_ERROR) errno = EIO;
    if (shared->kind == SHORT_WRITE) return number == shared->at ? SHORT_WRITE : NONE;
    return shared->kind == KILL ? NONE : shared->kind;
}

static int fails(int watched) {
    long kind = fault(watched);
    return kind == NO_SPACE || kind == IO_ERROR;
}

#define NEXT(name) static __typeof__(name) *next; if (!next) next = dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *data, size_t size) {
    NEXT(write);
    long kind = fault(is_watched_file(file));
    if (kind == SHORT_WRITE) return next(file, data, size > 1 ? size / 2 : size);
    return kind ? -1 : next(file, data, size);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t place) {
    NEXT(pwrite64);
    return fails(is_watched_file(file)) ? -1 : next(file, data, size, place);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    NEXT(writev);
    return fails(is_watched_file(file)) ? -1 : next(file, parts, count);
}

ssize_t sendfile64(int target, int source, off64_t *place, size_t size) {
    ssize_t (*next)(int, int, off64_t *, size_t) = dlsym(RTLD_NEXT, "sendfile64");
    long kind = fault(is_watched_file(target));
    if (kind == SHORT_WRITE) return next(target, source, place, size > 1 ? size / 2 : size);
    return kind ? -1 : next(target, source, place, size);
}

ssize_t sendfile(int target, int source, off_t *place, size_t size) {
    return sendfile64(target, source, place, size);
}

int fsync(int file) {
    NEXT(fsync);
    return fails(is_watched_file(file)) ? -1 : next(file);
}

static int opened(const char *name, const char *path, int flags, mode_t mode) {
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    if ((flags & O_CREAT) && fails(is_watched(path))) return -1;
    return next(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return opened("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return opened("open64", path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir);
    return fails(is_watched(path)) ? -1 : next(path, mode);
}

int rename(const char *source, const char *target) {
    NEXT(rename);
    return fails(is_watched(target)) ? -1 : next(source, target);
}

int renameat2(int from, const char *source, int to, const char *target, unsigned int flags) {
    NEXT(renameat2);
    return fails(is_watched(target)) ? -1 : next(from, source, to, target, flags);
}

int link(const char *source, const char *target) {
    NEXT(link);
    return fails(is_watched(target)) ? -1 : next(source, target);
}

int linkat(int from, const char *source, int to, const char *target, int flags) {
    NEXT(linkat);
    return fails(is_watched(target)) ? -1 : next(from, source, to, target, flags);
}
