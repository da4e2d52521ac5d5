// What this room is for: the endpoints: a command → the request it stands for. What it knows: paths, methods,
// bodies. What it may not do: I/O.
#ifndef VPSIE_COORDINATOR_VPSIE_API_H
#define VPSIE_COORDINATOR_VPSIE_API_H

#include <stdbool.h>

#include "common/error.h"
#include "common/text.h"
#include "coordinator/decide/command.h"
#include "coordinator/vpsie/answer.h"

enum api_call {
    API_LOGIN,
    API_CLUSTERS,
    API_MACHINES,
    API_OFFERS,
    API_GROUPS,
    API_CREATE_GROUP,
    API_ADD_MACHINE,
    API_DELETE_MACHINE,
    API_CALL_COUNT
};
const char *api_call_name(enum api_call call); // as metrics name it

struct api_request {
    enum api_call call;
    enum answer_use use;
    const char *method;
    const char *content_type; // with a body
    struct text path;         // below the base
    struct text body;         // empty: none; may hold secrets
    bool write;
    bool once; // may add something: a fresh connection, and never again once a byte may have left
};
void api_request_free(struct api_request *request); // wipes the body

void api_login(struct api_request *request);    // the caller writes the body
void api_clusters(struct api_request *request); // the cheapest call that needs the credential
// The request of a VPSie command; `cluster` in place of the command's own. -1 when the command lacks what the
// call needs.
int api_command(const struct command *command, const char *cluster, struct api_request *request,
                struct error *error);
// The cluster a command names, "" when it names none.
const char *api_command_cluster(const struct command *command);

#endif
