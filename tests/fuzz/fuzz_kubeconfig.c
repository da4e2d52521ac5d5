// Any bytes as a kubeconfig: refused with a reason, or a server to speak to.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "coordinator/kube/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size == 0 ? 1 : size); // exactly as long, so that reading on is seen
    if (!text)
        return 0;
    memcpy(text, data, size);
    struct access access;
    struct error error = {0};
    if (kubeconfig_parse(text, size, "/nowhere/config", "", &access, &error) == 0) {
        assert(text_starts_with(access.server, "https://"));
        assert((access.client_cert == NULL) == (access.client_key == NULL));
        assert(access.origin);
        access_free(&access);
    } else {
        assert(error.text[0] != '\0');
        assert(!access.server && !access.token);
    }
    free(text);
    return 0;
}
