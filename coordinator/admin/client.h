// What this room is for: the parts of the status commands: asking, and showing a reply to a person.
// What it knows: replies. What it may not do: know the core; all it has is JSON.
#ifndef VPSIE_COORDINATOR_ADMIN_CLIENT_H
#define VPSIE_COORDINATOR_ADMIN_CLIENT_H

#include <cjson/cJSON.h>

#include "coordinator/admin/admin.h"
#include "coordinator/admin/table.h"

// The reply as a person reads it. `all`: rows that say nothing new are shown too.
void client_show(struct screen *screen, enum admin_command command, const cJSON *reply, bool all);

// Ask once. malloc'ed reply text; NULL with an error for a person when nobody can be asked.
char *client_ask(const char *socket_path, const char *request, struct error *error);

// The command's words as a request's JSON text (malloc'ed); NULL with what is wrong with them.
char *client_request(const char *command, const char *const *words, int word_count, int64_t limit,
                     enum admin_command *which, struct error *error);

#endif
