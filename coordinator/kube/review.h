// What this room is for: who does a token speak for (TokenReview). What it knows: ServiceAccount tokens and
// what is bound into them. What it may not do: keep a token, remember an answer.
#ifndef VPSIE_COORDINATOR_KUBE_REVIEW_H
#define VPSIE_COORDINATOR_KUBE_REVIEW_H

#include <stddef.h>

#include "common/error.h"
#include "coordinator/kube/api.h"

// As kube_review_node_of_token() in kube.h.
int review_node_of_token(struct api *api, const char *token, const char *audience,
                         const char *service_account, char *node_name, size_t node_name_bytes,
                         struct error *error);

#endif
