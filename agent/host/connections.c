#include "agent/host/connections.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"

#define TCP_STATE_ESTABLISHED 1

struct address {
    uint32_t words[4]; // in memory as on the wire
    int count;         // 1: IPv4, 4: IPv6
};

// 8 or 32 hex digits: 32-bit words, each printed as a number of this machine.
static bool scan_address(const char **cursor, struct address *out)
{
    uint64_t word, port;
    const char *text = *cursor + strspn(*cursor, " ");
    for (out->count = 0; out->count < 4 && *text != ':'; out->count++) {
        const char *from = text;
        if (!scan_hex(&text, &word, 8) || text - from != 8)
            return false;
        out->words[out->count] = (uint32_t)word;
    }
    if ((out->count != 1 && out->count != 4) || *text != ':')
        return false;
    text++;
    if (!scan_hex(&text, &port, 4))
        return false;
    *cursor = text;
    return true;
}

static bool is_loopback(const struct address *address)
{
    unsigned char bytes[16];
    memcpy(bytes, address->words, sizeof bytes);
    if (address->count == 1)
        return bytes[0] == 127;
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const unsigned char one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return bytes[12] == 127;
    return memcmp(bytes, one, sizeof one) == 0;
}

static bool same_address(const struct address *a, const struct address *b)
{
    return a->count == b->count && memcmp(a->words, b->words, (size_t)a->count * sizeof *a->words) == 0;
}

// "   0: 0100007F:1F90 00000000:0000 0A ..."
static bool parse_line(const char *cursor, bool *established)
{
    uint64_t slot, state;
    struct address local = {0}, remote = {0};
    if (!scan_u64(&cursor, &slot) || *cursor++ != ':' || !scan_address(&cursor, &local) ||
        !scan_address(&cursor, &remote) || !scan_hex(&cursor, &state, 2))
        return false;
    *established = state == TCP_STATE_ESTABLISHED && !is_loopback(&local) && !is_loopback(&remote) &&
                   !same_address(&local, &remote);
    return true;
}

int connections_parse(struct lines *lines, uint32_t *established, struct error *error)
{
    uint32_t count = 0;
    bool heading = true;
    for (const char *line; (line = lines_next(lines)); heading = false) {
        bool counts;
        if (heading)
            continue;
        if (!parse_line(line, &counts))
            return error_set(error, EPROTO, "net/tcp is malformed");
        if (counts)
            count++;
    }
    if (lines->failed)
        return error_set(error, lines->failed, "net/tcp: %s", strerror(lines->failed));
    *established = count;
    return 0;
}

// Two lines "Tcp: ...": names, then values in the same order.
bool connections_parse_current(struct lines *snmp, uint64_t *out)
{
    int column = -1;
    for (const char *line; (line = lines_next(snmp));) {
        const char *field;
        if (!scan_word(&line, "Tcp"))
            continue;
        if (column < 0) {
            for (int at = 0; column < 0; at++) {
                size_t length = scan_field(&line, &field);
                if (length == 0)
                    return false;
                if (length == strlen("CurrEstab") && strncmp(field, "CurrEstab", length) == 0)
                    column = at;
            }
            continue;
        }
        for (int at = 0; at < column; at++)
            scan_field(&line, &field);
        return scan_u64(&line, out);
    }
    return false;
}

// Reading the link needs the right to trace the process; without it, the inode of the namespace's own net/tcp
// tells two namespaces apart as well.
static bool same_namespace(int procfs, int32_t pid)
{
    char path[40], mine[64], theirs[64];
    snprintf(path, sizeof path, "%d/ns/net", pid);
    ssize_t mine_bytes = readlinkat(procfs, path, mine, sizeof mine);
    ssize_t theirs_bytes = readlinkat(procfs, "1/ns/net", theirs, sizeof theirs);
    if (mine_bytes > 0 && theirs_bytes > 0)
        return mine_bytes == theirs_bytes && memcmp(mine, theirs, (size_t)mine_bytes) == 0;
    struct stat mine_stat, theirs_stat;
    snprintf(path, sizeof path, "%d/net/tcp", pid);
    return fstatat(procfs, path, &mine_stat, 0) == 0 && fstatat(procfs, "1/net/tcp", &theirs_stat, 0) == 0 &&
           mine_stat.st_ino == theirs_stat.st_ino && mine_stat.st_dev == theirs_stat.st_dev;
}

static int read_table(int procfs, const char *path, uint32_t *established, struct error *error)
{
    struct lines lines AUTOLINES;
    if (lines_open(&lines, procfs, path, error) < 0)
        return -1;
    return connections_parse(&lines, established, error);
}

static bool none_established(int procfs, int32_t pid)
{
    char path[40];
    uint64_t current;
    snprintf(path, sizeof path, "%d/net/snmp", pid);
    struct lines lines AUTOLINES;
    return lines_open(&lines, procfs, path, NULL) == 0 && connections_parse_current(&lines, &current) &&
           current == 0;
}

int connections_read(int procfs, int32_t pid, struct connections *out, struct error *error)
{
    *out = (struct connections){.host_network = same_namespace(procfs, pid)};
    if (out->host_network || none_established(procfs, pid))
        return 0;
    char path[40];
    uint32_t version4 = 0, version6 = 0;
    struct error inner;
    error_clear(&inner);
    snprintf(path, sizeof path, "%d/net/tcp", pid);
    if (read_table(procfs, path, &version4, error) < 0)
        return -1;
    snprintf(path, sizeof path, "%d/net/tcp6", pid);
    // A host without IPv6 has no net/tcp6.
    if (read_table(procfs, path, &version6, &inner) < 0 && inner.code != ENOENT)
        return error_set(error, inner.code, "%s", inner.text);
    out->established = version4 + version6;
    return 0;
}
