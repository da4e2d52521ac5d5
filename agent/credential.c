#include "agent/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/host/source.h"

static int check(struct credential *out, const char *path, struct error *error)
{
    char *from = out->text + strspn(out->text, " \t\r\n");
    size_t length = strcspn(from, " \t\r\n");
    if (length == 0)
        return error_set(error, EINVAL, "%s is empty", path);
    if (from[length + strspn(from + length, " \t\r\n")] != '\0')
        return error_set(error, EINVAL, "%s holds more than one word", path);
    for (size_t i = 0; i < length; i++)
        if (from[i] < 0x21 || from[i] > 0x7e)
            return error_set(error, EINVAL, "%s holds a character that no token has", path);
    memmove(out->text, from, length);
    explicit_bzero(out->text + length, sizeof out->text - length);
    return 0;
}

int credential_read(const char *path, struct credential *out, struct error *error)
{
    int length = source_read(AT_FDCWD, path, out->text, sizeof out->text, error);
    if (length >= 0 && check(out, path, error) == 0)
        return 0;
    credential_wipe(out);
    return -1;
}

void credential_wipe(struct credential *credential)
{
    explicit_bzero(credential, sizeof *credential);
}
