#include "agent/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/host/source.h"

static void read_boot_id(const char *procfs, struct report_identity *out)
{
    char text[64];
    AUTOCLOSE int fd = source_open_directory(AT_FDCWD, procfs, NULL);
    if (fd < 0 || source_read(fd, "sys/kernel/random/boot_id", text, sizeof text, NULL) < 0)
        return;
    text[strcspn(text, "\r\n")] = '\0';
    source_clean_name(out->boot_id, sizeof out->boot_id, text);
}

static void host_name(struct report_identity *out)
{
    char name[WIRE_NODE_NAME_BYTES_MAX + 1] = "";
    if (gethostname(name, sizeof name - 1) < 0 || !*name)
        strcpy(name, "localhost");
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    snprintf(out->node_name, sizeof out->node_name, "%s", name);
}

int identity_make(const struct agent_settings *settings, struct report_identity *out, struct error *error)
{
    *out = (struct report_identity){0};
    if (*settings->node_name)
        snprintf(out->node_name, sizeof out->node_name, "%s", settings->node_name);
    else
        host_name(out);
    read_boot_id(settings->host.procfs, out);
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_set(error, errno, "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(out->start_id + 2 * i, 3, "%02x", random[i]);
    return 0;
}
