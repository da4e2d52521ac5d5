// What this room is for: a command's fields as documents and patches. What it knows: the custom resources'
// and Node's fields. What it may not do: apply them.
#ifndef VPSIE_TESTS_SIM_PATCHES_H
#define VPSIE_TESTS_SIM_PATCHES_H

#include "coordinator/decide/command.h"
#include "tests/world/json.h"

// The caller owns each.
cJSON *document_of_intention(const struct command *command);
cJSON *patch_of_update(const struct command *command);
cJSON *patch_of_intention_status(const struct command *command);
cJSON *patch_of_group_status(const struct command *command);
// `node` is the Node as it is: what a person did is left as it is, and undoing knows it.
cJSON *patch_of_cordon(const cJSON *node, const char *reason);
cJSON *patch_of_uncordon(const cJSON *node);
cJSON *patch_of_labels(const cJSON *node, const struct command *command);

#endif
