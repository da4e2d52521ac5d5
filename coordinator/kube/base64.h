// What this room is for: base64 (RFC 4648) as it stands in kubeconfigs and Secrets. What it knows: OpenSSL's
// decoder and its leniencies. What it may not do: accept what is not base64.
#ifndef VPSIE_COORDINATOR_KUBE_BASE64_H
#define VPSIE_COORDINATOR_KUBE_BASE64_H

#include <stddef.h>

#include "common/error.h"
#include "common/text.h"

// Appends the decoded bytes; white space between the characters is passed over. -1 when it is not base64.
int base64_decode(const char *text, size_t length, struct text *out, struct error *error);

#endif
