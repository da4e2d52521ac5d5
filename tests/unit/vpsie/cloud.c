#include "tests/unit/vpsie/cloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cloud_set(struct script_answer *answer, int status, const char *body)
{
    answer->status = status;
    answer->body = body;
}

static bool failing(int *left, const struct script_answer *as, struct script_answer *answer)
{
    if (*left == 0) {
        return false;
    }
    (*left)--;
    *answer = *as;
    return true;
}

static void log_in(struct cloud *cloud, const struct script_call *call, struct script_answer *answer)
{
    static char body[256];
    if (cloud->login != NULL && strcmp(call->body, cloud->login) != 0) {
        cloud_set(answer, 401,
                  "{\"error\":true,\"code\":401,\"message\":\"no such clientSecret very-secret-value\"}");
        return;
    }
    snprintf(body, sizeof body, "{\"error\":false,\"accessToken\":{\"token\":\"access-%d\",\"expires\":%s}}",
             ++cloud->logins, cloud->login_body != NULL ? cloud->login_body : "\"2999-01-01T00:00:00Z\"");
    cloud_set(answer, 200, body);
}

static bool authorized(const struct cloud *cloud, const struct script_call *call)
{
    char expected[128];
    if (cloud->login != NULL) {
        snprintf(expected, sizeof expected, "Authorization: Bearer access-%d", cloud->logins);
        return strcmp(call->auth, expected) == 0;
    }
    if (cloud->token == NULL) {
        return true;
    }
    snprintf(expected, sizeof expected, "%s%s",
             cloud->bearer_only ? "Authorization: Bearer " : "Vpsie-Auth: ", cloud->token);
    return strcmp(call->auth, expected) == 0;
}

void cloud_serve(void *state, const struct script_call *call, struct script_answer *answer)
{
    struct cloud *cloud = state;
    snprintf(cloud->auth_seen, sizeof cloud->auth_seen, "%s", call->auth);
    if (cloud->base_is_v2 && SUBSTRING(call->url, "/apps/v2")) {
        cloud_set(answer, 404, "<html>nothing here</html>");
    } else if (SUBSTRING(call->url, "/auth/from/api")) {
        log_in(cloud, call, answer);
    } else if (!authorized(cloud, call)) {
        cloud_set(answer, 401, "{\"error\":true,\"code\":401,\"message\":\"Unauthorized\"}");
    } else if (SUBSTRING(call->url, ADD_PATH)) {
        cloud->add_once = call->once;
        snprintf(cloud->add_body, sizeof cloud->add_body, "%s", call->body);
        if (!failing(&cloud->add_failures, &cloud->add_answer, answer)) {
            cloud_set(answer, 200, "{\"error\":false,\"data\":true}");
        }
    } else if (SUBSTRING(call->url, "/delete/slave")) {
        if (!failing(&cloud->delete_failures, &cloud->delete_answer, answer)) {
            cloud_set(answer, 200, "{\"error\":false}");
        }
    } else if (SUBSTRING(call->url, "/k8s/cluster/all")) {
        if (!failing(&cloud->clusters_failures, &cloud->clusters_answer, answer) &&
            cloud->clusters_body != NULL) {
            cloud_set(answer, 200, cloud->clusters_body);
        }
    } else if (SUBSTRING(call->url, "/k8s/cluster/byId/c1")) {
        if (!failing(&cloud->list_failures, &cloud->list_answer, answer)) {
            cloud_set(answer, 200, MACHINES);
        }
    }
}

struct script *cloud_begin(struct cloud *cloud)
{
    struct script *script = malloc(sizeof *script);
    script_init(script, cloud_serve, cloud);
    script_start(script);
    script_token(script, "token-0123456789");
    script_until_usable(script, true);
    return script;
}

void cloud_end(struct script *script)
{
    script_stop(script);
    free(script);
}
