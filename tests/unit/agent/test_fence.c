// What this proves: behind the fence the agent can do its work and nothing else, whoever it runs as. Each
// case is a child process of its own: a fence is never taken down again.
#include "tests/support/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/fence.h"
#include "agent/host/host.h"
#include "common/arena.h"

#define NO_LANDLOCK 77

static char *base;

static char *at(const char *path)
{
    return xprintf("%s/%s", base, path);
}

static void make_directory(const char *path)
{
    AUTOFREE char *whole = at(path);
    assert_int_equal(mkdir(whole, 0755), 0);
}

static void make_file(const char *path, const char *content)
{
    AUTOFREE char *whole = at(path);
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int build(void **state)
{
    (void)state;
    static const char *const directories[] = {"proc",
                                              "sys",
                                              "root",
                                              "root/etc",
                                              "root/run",
                                              "root/run/vpsie-agent",
                                              "root/run/vpsie-agent/inhibit.d",
                                              "root/var",
                                              "root/var/lib",
                                              "root/var/lib/kubelet",
                                              "root/var/lib/kubelet/pods",
                                              "secrets",
                                              "elsewhere"};
    base = xstrdup("/tmp/vpsie-fence-XXXXXX");
    assert_non_null(mkdtemp(base));
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        make_directory(directories[i]);
    make_file("proc/stat", "cpu 1");
    make_file("sys/value", "1");
    make_file("root/etc/shadow", "secret");
    make_file("root/run/vpsie-agent/inhibit.d/backup", "reason: backup\n");
    make_file("root/var/lib/kubelet/pods/data", "a pod's");
    make_file("secrets/ca.crt", "ca");
    make_file("secrets/token", "token");
    make_file("elsewhere/file", "x");
    return 0;
}

static int demolish(void **state)
{
    (void)state;
    AUTOFREE char *command = xprintf("rm -rf %s", base);
    int result = system(command);
    free(base);
    return result;
}

// Runs `act` behind the fence; its answer is the child's exit status.
static int behind(int (*act)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error error = {0};
        struct agent_settings settings = {.ca_file = at("secrets/ca.crt"), .token_file = at("secrets/token")};
        settings.host.procfs = at("proc");
        settings.host.sysfs = at("sys");
        settings.host.rootfs = at("root");
        settings.host.kubelet_directory = "/var/lib/kubelet";
        if (fence_raise(&settings, &error) < 0)
            _exit(error.code == ENOSYS || error.code == EOPNOTSUPP ? NO_LANDLOCK : 99);
        _exit(act());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_LANDLOCK) {
        print_message("this kernel has no Landlock\n");
        skip();
    }
    return WEXITSTATUS(status);
}

// 0: it can be opened, else errno.
static int opens(const char *path, int flags)
{
    AUTOFREE char *whole = at(path);
    int fd = open(whole, flags | O_CLOEXEC, 0600);
    int result = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static int reads_what_it_must(void)
{
    return opens("proc/stat", O_RDONLY) + opens("sys/value", O_RDONLY) +
           opens("root/run/vpsie-agent/inhibit.d/backup", O_RDONLY) + opens("secrets/ca.crt", O_RDONLY) +
           opens("secrets/token", O_RDONLY) + opens("root/run/vpsie-agent/inhibit.d", O_RDONLY | O_DIRECTORY);
}

static int lists_and_measures_the_host(void)
{
    AUTOFREE char *data = at("root/var/lib/kubelet/pods/data");
    AUTOFREE char *root = at("root");
    struct stat status;
    struct statvfs filesystem;
    return opens("root", O_RDONLY | O_DIRECTORY) +
           opens("root/var/lib/kubelet/pods", O_RDONLY | O_DIRECTORY) +
           (stat(data, &status) != 0 || status.st_size != 7) + (statvfs(root, &filesystem) != 0);
}

static int opens_no_file_of_the_host(void)
{
    return opens("root/etc/shadow", O_RDONLY) == EACCES &&
                   opens("root/var/lib/kubelet/pods/data", O_RDONLY) == EACCES &&
                   opens("elsewhere/file", O_RDONLY) == EACCES &&
                   opens("elsewhere", O_RDONLY | O_DIRECTORY) == EACCES
               ? 0
               : 1;
}

static int writes_nowhere(void)
{
    AUTOFREE char *new_directory = at("root/new");
    AUTOFREE char *file = at("elsewhere/file");
    return opens("secrets/new", O_WRONLY | O_CREAT) == EACCES && opens("proc/stat", O_WRONLY) == EACCES &&
                   opens("root/run/vpsie-agent/inhibit.d/new", O_WRONLY | O_CREAT) == EACCES &&
                   mkdir(new_directory, 0755) != 0 && unlink(file) != 0
               ? 0
               : 1;
}

static int starts_nothing(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno == EACCES ? 0 : 1;
}

static int signals_itself_only(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);
    bool refused = kill(getppid(), 0) != 0 && errno == EPERM;
    return kill(getpid(), 0) == 0 && refused == (abi >= 6) ? 0 : 1;
}

static void it_reads_what_it_must(void **state)
{
    (void)state;
    assert_int_equal(behind(reads_what_it_must), 0);
}

static void it_lists_and_measures_the_host(void **state)
{
    (void)state;
    assert_int_equal(behind(lists_and_measures_the_host), 0);
}

static void it_opens_no_file_of_the_host_nor_of_anybody_else(void **state)
{
    (void)state;
    assert_int_equal(behind(opens_no_file_of_the_host), 0);
}

static void it_writes_nowhere(void **state)
{
    (void)state;
    assert_int_equal(behind(writes_nowhere), 0);
}

static void it_starts_no_other_program(void **state)
{
    (void)state;
    assert_int_equal(behind(starts_nothing), 0);
}

static void it_signals_nobody_else(void **state)
{
    (void)state;
    assert_int_equal(behind(signals_itself_only), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_what_it_must),
        cmocka_unit_test(it_lists_and_measures_the_host),
        cmocka_unit_test(it_opens_no_file_of_the_host_nor_of_anybody_else),
        cmocka_unit_test(it_writes_nowhere),
        cmocka_unit_test(it_starts_no_other_program),
        cmocka_unit_test(it_signals_nobody_else),
    };
    return cmocka_run_group_tests(tests, build, demolish);
}
