// What this room is for: a VPSie that behaves, but for what a test sets, behind a scripted door. What it
// knows: the endpoints. What it may not do: assert.
#ifndef VPSIE_TESTS_UNIT_VPSIE_CLOUD_H
#define VPSIE_TESTS_UNIT_VPSIE_CLOUD_H

#include "tests/unit/vpsie/script.h"

#define SUBSTRING(text, part) (strstr((text), (part)) != NULL)
#define ADD_PATH              "/add/slave/group/42"
#define MACHINES                                                                                             \
    "{\"error\":false,\"data\":{\"identifier\":\"c1\",\"nodes\":[{\"id\":1,\"identifier\":\"m-1\"}]}}"

struct cloud {
    int add_failures; // how many adds to answer as below, then as usual
    struct script_answer add_answer;
    int delete_failures, list_failures;
    struct script_answer delete_answer, list_answer;
    int clusters_failures;
    struct script_answer clusters_answer;
    const char *token, *login; // accepted; NULL: any
    bool bearer_only;
    bool base_is_v2; // the other base answers 404 to everything
    int logins;
    const char *login_body;
    char auth_seen[128];
    bool add_once;
    char add_body[64];
    char paths[16][128];
    const char *clusters_body;
};

void cloud_set(struct script_answer *answer, int status, const char *body);
void cloud_serve(void *cloud, const struct script_call *call,
                 struct script_answer *answer);  // a script_function
struct script *cloud_begin(struct cloud *cloud); // a door with a token that works
void cloud_end(struct script *script);

#endif
