#include "agent/host/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"

static const char *const virtual_prefixes[] = {
    "lo",           "veth",  "cali", "cni", "docker", "br-",   "flannel", "cilium",
    "lxc",          "virbr", "kube", "tun", "tap",    "vxlan", "ifb",     "dummy",
    "nodelocaldns", "weave", "wg",   "gre", "sit",    "ip6",   "geneve",
};

static bool is_virtual(const char *name)
{
    for (size_t i = 0; i < sizeof virtual_prefixes / sizeof *virtual_prefixes; i++)
        if (text_starts_with(name, virtual_prefixes[i]))
            return true;
    return false;
}

static bool has_device(int classes, const char *name)
{
    char path[64];
    int length = snprintf(path, sizeof path, "%s/device", name);
    return classes >= 0 && length < (int)sizeof path && faccessat(classes, path, F_OK, 0) == 0;
}

// "  eth0: receive_bytes packets errs drop fifo frame compressed multicast transmit_bytes ..."
static bool parse_line(char *line, const char **name, uint64_t *receive, uint64_t *transmit)
{
    char *colon = strrchr(line, ':');
    if (!colon)
        return false;
    *colon = '\0';
    *name = line + strspn(line, " ");
    const char *cursor = colon + 1;
    uint64_t value[9];
    for (int i = 0; i < 9; i++)
        if (!scan_u64(&cursor, &value[i]))
            return false;
    *receive = value[0];
    *transmit = value[8];
    return **name != '\0' && !strchr(*name, '/');
}

static void count(struct network_counters *sum, const char *name, uint64_t receive, uint64_t transmit)
{
    sum->receive_bytes += receive;
    sum->transmit_bytes += transmit;
    sum->interfaces++;
    uint64_t hash = 14695981039346656037u; // FNV-1a; summed, so that the order does not matter
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    sum->names_hash += hash;
}

int network_parse(struct lines *dev, int classes, struct network_counters *out, struct error *error)
{
    struct network_counters real = {0}, named = {0};
    for (char *line; (line = lines_next(dev));) {
        const char *name;
        uint64_t receive, transmit;
        if (!parse_line(line, &name, &receive, &transmit) || is_virtual(name))
            continue;
        count(&named, name, receive, transmit);
        if (has_device(classes, name))
            count(&real, name, receive, transmit);
    }
    *out = real.interfaces > 0 ? real : named;
    return out->interfaces > 0 ? 0 : error_set(error, ENODEV, "no network interface of its own");
}

int network_read(int procfs, int sysfs, struct network_counters *out, struct error *error)
{
    struct lines lines AUTOLINES;
    if (lines_open(&lines, procfs, "1/net/dev", error) < 0 &&
        lines_open(&lines, procfs, "net/dev", error) < 0)
        return -1;
    AUTOCLOSE int classes = openat(sysfs, "class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return network_parse(&lines, classes, out, error);
}
