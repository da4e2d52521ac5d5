#include "common/metrics_process.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define PROC_FILE_BYTES_MAX ((size_t)64 * 1024)
#define STAT_BYTES_MAX      ((size_t)4 * 1024 * 1024)
#define STAT_FIELDS         52 // proc(5), /proc/pid/stat

// Fields of /proc/self/stat after the program's name, which may hold anything, brackets and spaces among it.
struct stat_fields {
    uint64_t values[STAT_FIELDS + 1]; // numbered as in proc(5), from 4 on
    int count;
};

static bool read_stat(struct stat_fields *fields)
{
    struct text AUTOTEXT file = {0};
    if (text_read_file("/proc/self/stat", PROC_FILE_BYTES_MAX, &file, NULL) < 0)
        return false;
    const char *at = strrchr(text_get(&file), ')');
    if (at == NULL || strlen(at) < 4)
        return false;
    at += 4; // ") S "
    for (fields->count = 4; fields->count <= STAT_FIELDS && *at != '\0'; fields->count++) {
        size_t length = strcspn(at, " \n");
        uint64_t value = 0; // a few fields are negative; none of them is used
        text_parse_u64(at, length, &value, NULL);
        fields->values[fields->count] = value;
        at += length;
        at += strspn(at, " \n");
    }
    return fields->count > 24;
}

static bool read_boot_time(uint64_t *seconds)
{
    struct text AUTOTEXT file = {0};
    if (text_read_file("/proc/stat", STAT_BYTES_MAX, &file, NULL) < 0)
        return false;
    const char *line = strstr(text_get(&file), "\nbtime ");
    if (line == NULL)
        return false;
    line += strlen("\nbtime ");
    return text_parse_u64(line, strcspn(line, "\n"), seconds, NULL) == 0;
}

static bool count_descriptors(uint64_t *count)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return false;
    *count = 0;
    while (readdir(directory) != NULL)
        (*count)++;
    closedir(directory);
    *count -= *count >= 3 ? 3 : *count; // ".", ".." and the directory itself
    return true;
}

static void append(struct text *out, const char *name, const char *type, const char *help, double value)
{
    metrics_append_header(out, name, type, help);
    text_printf(out, "%s %.12g\n", name, value);
}

void metrics_append_process(struct text *out)
{
    struct stat_fields stat = {0};
    double ticks = (double)sysconf(_SC_CLK_TCK);
    bool has_stat = read_stat(&stat);
    if (has_stat) // 14 utime, 15 stime
        append(out, "process_cpu_seconds_total", "counter",
               "Total user and system CPU time spent in seconds.",
               (double)(stat.values[14] + stat.values[15]) / ticks);
    uint64_t descriptors;
    if (count_descriptors(&descriptors))
        append(out, "process_open_fds", "gauge", "Number of open file descriptors.", (double)descriptors);
    if (has_stat) // 24 rss
        append(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
               (double)stat.values[24] * (double)sysconf(_SC_PAGESIZE));
    uint64_t boot_seconds;
    if (has_stat && read_boot_time(&boot_seconds)) // 22 starttime
        append(out, "process_start_time_seconds", "gauge",
               "Start time of the process since unix epoch in seconds.",
               (double)boot_seconds + (double)stat.values[22] / ticks);
    if (has_stat) // 20 num_threads
        append(out, "process_threads", "gauge", "Number of OS threads in the process.",
               (double)stat.values[20]);
}
