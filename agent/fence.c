#include "agent/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/host/inhibitors.h"
#include "agent/host/source.h"

// By their numbers, since the headers of the oldest systems we build on do not have the newer ones.
#define ACCESS_ABI_1 ((1ULL << 13) - 1) // execute ... make a symbolic link
#define ACCESS_REFER (1ULL << 13)       // since ABI 2
#define ACCESS_TRUNC (1ULL << 14)       // since ABI 3
#define ACCESS_IOCTL (1ULL << 15)       // devices, since ABI 5

#define SCOPED_ABI 6
#define SCOPED     ((1ULL << 0) | (1ULL << 1)) // abstract sockets of others, signals to others

struct ruleset { // struct landlock_ruleset_attr as of ABI 6
    uint64_t access, network, scoped;
};

#define LIST LANDLOCK_ACCESS_FS_READ_DIR
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static uint64_t all_access(long abi)
{
    uint64_t access = ACCESS_ABI_1;
    access |= abi >= 2 ? ACCESS_REFER : 0;
    access |= abi >= 3 ? ACCESS_TRUNC : 0;
    access |= abi >= 5 ? ACCESS_IOCTL : 0;
    return access;
}

// What is not there needs no permission.
static int allow(int ruleset, const char *path, uint64_t access, struct error *error)
{
    AUTOCLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat stat;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES
                   ? 0
                   : error_set(error, errno, "%s: %s", path, strerror(errno));
    if (fstat(fd, &stat) == 0 && !S_ISDIR(stat.st_mode))
        access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR; // means nothing for a file, and is refused
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return error_set(error, errno, "a rule for %s: %s", path, strerror(errno));
    return 0;
}

// The folder of a file: the kubelet replaces what is in it.
static int allow_folder_of(int ruleset, const char *file, struct error *error)
{
    char folder[512];
    const char *slash = strrchr(file, '/');
    size_t length = slash ? (size_t)(slash - file) : 0;
    if (!*file || length >= sizeof folder)
        return 0;
    memcpy(folder, file, length);
    folder[length] = '\0';
    return allow(ruleset, !slash ? "." : length == 0 ? "/" : folder, READ, error);
}

static int allow_all(int ruleset, const struct agent_settings *settings, struct error *error)
{
    // Our own /proc; name service, its libraries where the program is not a static one, and randomness.
    static const char *const own[] = {
        "/proc", "/etc", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/run/systemd/resolve", "/dev/urandom"};
    char inhibitors[512];
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (allow(ruleset, own[i], READ, error) < 0)
            return -1;
    if (snprintf(inhibitors, sizeof inhibitors, "%s/%s", settings->host.rootfs, INHIBITORS_DIRECTORY) >=
        (int)sizeof inhibitors)
        return error_set(error, ENAMETOOLONG, "the host's root has too long a name");
    if (allow(ruleset, settings->host.procfs, READ, error) < 0 ||
        allow(ruleset, settings->host.sysfs, READ, error) < 0 ||
        allow(ruleset, settings->host.rootfs, LIST, error) < 0 ||
        allow(ruleset, inhibitors, READ, error) < 0 ||
        allow_folder_of(ruleset, settings->ca_file, error) < 0 ||
        allow_folder_of(ruleset, settings->token_file, error) < 0)
        return -1;
    return 0;
}

int fence_raise(const struct agent_settings *settings, struct error *error)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return error_set(error, errno, "this kernel has no Landlock: %s", strerror(errno));
    struct ruleset all = {.access = all_access(abi), .scoped = abi >= SCOPED_ABI ? SCOPED : 0};
    size_t bytes = abi >= SCOPED_ABI ? sizeof all : sizeof all.access;
    AUTOCLOSE int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, bytes, 0);
    if (ruleset < 0)
        return error_set(error, errno, "Landlock: %s", strerror(errno));
    if (allow_all(ruleset, settings, error) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return error_set(error, errno, "Landlock: %s", strerror(errno));
    return 0;
}
