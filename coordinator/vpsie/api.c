#include "coordinator/vpsie/api.h"

#include <assert.h>

#include "coordinator/vpsie/account.h"

static const struct endpoint {
    const char *name;
    const char *method;
    const char *content_type;
    enum answer_use use;
    bool write;
    bool once;
} endpoints[API_CALL_COUNT] = {
    [API_LOGIN] = {"login", "POST", "application/x-www-form-urlencoded", ANSWER_LOGIN, false, false},
    [API_CLUSTERS] = {"clusters", "GET", NULL, ANSWER_READ, false, false},
    [API_MACHINES] = {"machines", "GET", NULL, ANSWER_READ, false, false},
    [API_OFFERS] = {"offers", "POST", "application/json", ANSWER_READ, false, false},
    [API_GROUPS] = {"groups", "GET", NULL, ANSWER_READ, false, false},
    [API_CREATE_GROUP] = {"create_group", "POST", "application/json", ANSWER_ORDER, true, true},
    [API_ADD_MACHINE] = {"add_machine", "POST", NULL, ANSWER_ORDER, true, true},
    [API_DELETE_MACHINE] = {"delete_machine", "DELETE", "application/json", ANSWER_DELETE, true, false},
};

const char *api_call_name(enum api_call call)
{
    assert((unsigned)call < API_CALL_COUNT);
    return endpoints[call].name;
}

static void begin(struct api_request *request, enum api_call call)
{
    const struct endpoint *endpoint = &endpoints[call];
    *request = (struct api_request){.call = call,
                                    .use = endpoint->use,
                                    .method = endpoint->method,
                                    .content_type = endpoint->content_type,
                                    .write = endpoint->write,
                                    .once = endpoint->once};
}

void api_request_free(struct api_request *request)
{
    text_free(&request->path);
    secret_wipe(&request->body);
}

void api_login(struct api_request *request)
{
    begin(request, API_LOGIN);
    text_append(&request->path, "/auth/from/api");
}

void api_clusters(struct api_request *request)
{
    begin(request, API_CLUSTERS);
    text_append(&request->path, "/k8s/cluster/all");
}

const char *api_command_cluster(const struct command *command)
{
    const char *cluster = NULL;
    switch (command->kind) {
    case COMMAND_VPSIE_LIST_MACHINES:
    case COMMAND_VPSIE_LIST_GROUPS:
    case COMMAND_VPSIE_LIST_OFFERS: cluster = command->vpsie_list.cluster; break;
    case COMMAND_VPSIE_CREATE_GROUP: cluster = command->create_group.cluster; break;
    case COMMAND_VPSIE_ADD_MACHINE: cluster = command->add_machine.cluster; break;
    case COMMAND_VPSIE_DELETE_MACHINE: cluster = command->delete_machine.cluster; break;
    default: break;
    }
    return cluster != NULL ? cluster : "";
}

static void cluster_path(struct api_request *request, const char *before, const char *cluster,
                         const char *after)
{
    text_append(&request->path, before);
    http_escape(&request->path, cluster);
    text_append(&request->path, after);
}

static void json_member(struct text *body, const char *before, const char *value, const char *after)
{
    text_append(body, before);
    text_append_json_string(body, value);
    text_append(body, after);
}

static int list_offers(const struct command *command, struct api_request *request, struct error *error)
{
    const char *datacenter = command->vpsie_list.datacenter_id;
    begin(request, API_OFFERS);
    if (datacenter == NULL || datacenter[0] == '\0') {
        return error_set(error, 0, "the data centre whose offers are asked for is not known");
    }
    text_append(&request->path, "/k8s/offers");
    json_member(&request->body, "{\"dcIdentifier\":", datacenter, "}");
    return 0;
}

static int create_group(const struct command *command, const char *cluster, struct api_request *request,
                        struct error *error)
{
    begin(request, API_CREATE_GROUP);
    if (command->create_group.size_id <= 0 || command->create_group.name == NULL ||
        command->create_group.name[0] == '\0') {
        return error_set(error, 0, "a group needs a name and a size");
    }
    text_append(&request->path, "/k8s/cluster/add/group");
    json_member(&request->body, "{\"clusterIdentifier\":", cluster, ",");
    json_member(&request->body, "\"groupName\":", command->create_group.name, ",");
    text_printf(&request->body, "\"KubeSizeID\":%lld}", (long long)command->create_group.size_id);
    return 0;
}

static int add_machine(const struct command *command, const char *cluster, struct api_request *request,
                       struct error *error)
{
    begin(request, API_ADD_MACHINE);
    if (command->add_machine.group_id <= 0) {
        return error_set(error, 0, "the group's number at VPSie is not known");
    }
    cluster_path(request, "/k8s/cluster/byId/", cluster, "/add/slave/group/");
    text_printf(&request->path, "%lld", (long long)command->add_machine.group_id);
    return 0;
}

static int delete_machine(const struct command *command, const char *cluster, struct api_request *request,
                          struct error *error)
{
    const char *identifier = command->delete_machine.identifier;
    begin(request, API_DELETE_MACHINE);
    if (identifier == NULL || identifier[0] == '\0') {
        return error_set(error, 0, "the machine's identifier is not known");
    }
    cluster_path(request, "/k8s/cluster/byId/", cluster, "/delete/slave");
    json_member(&request->body, "{\"identifier\":", identifier, "}");
    return 0;
}

int api_command(const struct command *command, const char *cluster, struct api_request *request,
                struct error *error)
{
    switch (command->kind) {
    case COMMAND_VPSIE_LIST_OFFERS: return list_offers(command, request, error);
    case COMMAND_VPSIE_CREATE_GROUP: return create_group(command, cluster, request, error);
    case COMMAND_VPSIE_ADD_MACHINE: return add_machine(command, cluster, request, error);
    case COMMAND_VPSIE_DELETE_MACHINE: return delete_machine(command, cluster, request, error);
    case COMMAND_VPSIE_LIST_MACHINES:
        begin(request, API_MACHINES);
        cluster_path(request, "/k8s/cluster/byId/", cluster, "");
        return 0;
    default:
        assert(command->kind == COMMAND_VPSIE_LIST_GROUPS);
        begin(request, API_GROUPS);
        cluster_path(request, "/k8s/node/groups/byClusterId/", cluster, "");
        return 0;
    }
}
