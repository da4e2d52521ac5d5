#include "tests/servers/vpsie_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/text.h"
#include "tests/world/cloud.h"
#include "tests/world/json.h"

static void answer_data(struct https_response *response, cJSON *data)
{
    AUTOJSON cJSON *body = json_of("{'error':false}");
    json_put(body, "data", data);
    response->status = 200;
    response->body = cJSON_PrintUnformatted(body);
}

static void answer_error(const struct vpsie_api *vpsie, struct https_response *response, int code,
                         const char *message)
{
    AUTOJSON cJSON *body = json_of("{'error':true}");
    json_set_number(body, "code", code);
    json_set_text(body, "message", message);
    response->status = vpsie->error_inside_200 && code != 401 && code < 500 && code != 429 ? 200 : code;
    response->body = cJSON_PrintUnformatted(body);
}

// "YYYY-MM-DD HH:MM:SS", as some of its answers have it
static void set_created(cJSON *object, int64_t unix_ms)
{
    time_t seconds = unix_ms / 1000;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    json_set_text(object, "created_on", text);
}

// ---------------------------------------------------------------------------------------------- credentials

static void login(struct vpsie_api *vpsie, const struct https_request *request,
                  struct https_response *response)
{
    // libmicrohttpd leaves forms to us; values of the test world need no percent-decoding
    char expected[256];
    snprintf(expected, sizeof expected, "clientId=%s&clientSecret=%s", vpsie->client_id,
             vpsie->client_secret);
    if (vpsie->client_id[0] == '\0' || strcmp(request->body, expected) != 0) {
        response->status = 401;
        response->body =
            xstrdup("{\"error\":true,\"code\":401,\"message\":\"Invalid clientId or clientSecret\"}");
        return;
    }
    vpsie->logins++;
    vpsie->access_until_ms = clock_wall_ms() + vpsie->access_ms;
    snprintf(vpsie->access_token, sizeof vpsie->access_token, "access-%u", vpsie->logins);
    char expires[32];
    text_format_time(expires, sizeof expires, vpsie->access_until_ms);
    AUTOJSON cJSON *body = json_of("{'error':false,'accessToken':{},'refreshToken':{'token':'refresh'}}");
    json_set_text(body, "accessToken.token", vpsie->access_token);
    json_set_text(body, "accessToken.expires", expires);
    json_set_text(body, "refreshToken.expires", expires);
    response->status = 200;
    response->body = cJSON_PrintUnformatted(body);
}

static bool authorized(const struct vpsie_api *vpsie, const struct https_request *request)
{
    const char *own = https_header(request, "Vpsie-Auth");
    const char *bearer = https_header(request, "Authorization");
    bool has_bearer = bearer != NULL && strncmp(bearer, "Bearer ", 7) == 0;
    if (vpsie->token[0] != '\0' && own != NULL && strcmp(own, vpsie->token) == 0) {
        return true;
    }
    return has_bearer && vpsie->access_token[0] != '\0' && strcmp(bearer + 7, vpsie->access_token) == 0 &&
           clock_wall_ms() < vpsie->access_until_ms;
}

// ---------------------------------------------------------------------------------------------- lists

static cJSON *machine_json(const struct cloud_machine *machine)
{
    cJSON *object =
        json_of("{'identifier':'%s','hostname':'%s','default_ip':'%s','private_ip':'%s','node_type':'%s'}",
                machine->identifier, machine->hostname, machine->default_ip, machine->private_ip,
                machine->master ? "master" : "slave");
    // ids come as strings in this list
    char id[32];
    snprintf(id, sizeof id, "%lld", (long long)machine->id);
    json_set_text(object, "id", id);
    set_created(object, machine->created_ms);
    return object;
}

static void list_machines(struct vpsie_api *vpsie, const char *cluster, struct https_response *response)
{
    const struct cloud_site *found = cloud_cluster_find(vpsie->world, cluster);
    if (found == NULL) {
        answer_error(vpsie, response, 404, "cluster not found");
        return;
    }
    size_t count = 0;
    const struct cloud_machine **machines = cloud_list_machines(vpsie->world, cluster, &count);
    cJSON *nodes = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(nodes, machine_json(machines[i]));
    }
    free(machines);
    cJSON *data = json_of("{'identifier':'%s','cluster_name':'%s'}", found->identifier, found->name);
    json_put(data, "nodes", nodes);
    answer_data(response, data);
}

static void list_groups(struct vpsie_api *vpsie, const char *cluster, struct https_response *response)
{
    cJSON *list = cJSON_CreateArray();
    const struct cloud *cloud = vpsie->world->cloud;
    for (size_t i = 0; i < cloud->group_count; i++) {
        const struct cloud_group *group = &cloud->groups[i];
        if (strcmp(group->cluster, cluster) != 0 || group->deleted) {
            continue;
        }
        const struct cloud_size *size = cloud_size_by_id(vpsie->world, group->size_id);
        cJSON *item = json_of("{'identifier':'%s','group_name':'%s','is_active':1,'is_deleted':0}",
                              group->identifier, group->name);
        json_set_number(item, "id", group->id);
        json_set_number(item, "boxsize_id", group->size_id);
        json_set_number(item, "nodes_count", cloud_group_nodes(vpsie->world, group));
        if (size != NULL) {
            json_set_number(item, "cpu", size->cpu);
            json_set_number(item, "ram", size->memory_mb);
            json_set_number(item, "ssd", size->disk_gb);
            json_set_text(item, "dcIdentifier", size->datacenter);
        }
        cJSON_AddItemToArray(list, item);
    }
    answer_data(response, list);
}

static void list_offers(struct vpsie_api *vpsie, const char *datacenter, struct https_response *response)
{
    cJSON *list = cJSON_CreateArray();
    const struct cloud *cloud = vpsie->world->cloud;
    for (size_t i = 0; i < cloud->size_count; i++) {
        const struct cloud_size *size = &cloud->sizes[i];
        if (strcmp(size->datacenter, datacenter) != 0) {
            continue;
        }
        cJSON *item = json_of("{'name':'%s'}", size->name);
        json_set_number(item, "id", size->id);
        json_set_number(item, "cpu", size->cpu);
        json_set_number(item, "ram", size->memory_mb);
        json_set_number(item, "disk", size->disk_gb);
        json_put(item, "price", cJSON_CreateNumber(size->price_month));
        cJSON_AddItemToArray(list, item);
    }
    answer_data(response, list);
}

static void list_clusters(struct vpsie_api *vpsie, struct https_response *response)
{
    cJSON *list = cJSON_CreateArray();
    const struct cloud *cloud = vpsie->world->cloud;
    for (size_t i = 0; i < cloud->cluster_count; i++) {
        cJSON_AddItemToArray(list, json_of("{'identifier':'%s','cluster_name':'%s'}",
                                           cloud->clusters[i].identifier, cloud->clusters[i].name));
    }
    answer_data(response, list);
}

// ---------------------------------------------------------------------------------------------- writes

static void answer_cloud(const struct vpsie_api *vpsie, const struct cloud_answer *answer,
                         struct https_response *response)
{
    if (answer->error || answer->status >= 400) {
        answer_error(vpsie, response, answer->status >= 400 ? answer->status : 422, answer->message);
        return;
    }
    if (answer->shape == CLOUD_OBJECT && answer->machine != NULL) {
        cJSON *machine = machine_json(answer->machine);
        json_set_text(machine, "status", "pending");
        answer_data(response, machine);
    } else if (answer->shape == CLOUD_OBJECT && answer->group_id != 0) {
        cJSON *group = cJSON_CreateObject();
        json_set_number(group, "groupId", answer->group_id);
        answer_data(response, group);
    } else {
        answer_data(response, answer->shape == CLOUD_NOTHING ? cJSON_CreateNull() : cJSON_CreateTrue());
    }
}

static void add_group(struct vpsie_api *vpsie, const cJSON *body, struct https_response *response)
{
    struct cloud_answer answer =
        cloud_create_group(vpsie->world, json_text(body, "clusterIdentifier"), json_text(body, "groupName"),
                           json_number(body, "KubeSizeID", 0));
    answer_cloud(vpsie, &answer, response);
}

static void add_machine(struct vpsie_api *vpsie, const char *cluster, const char *group,
                        struct https_response *response)
{
    vpsie->add_calls++;
    if (vpsie->first_order_ms == 0) {
        vpsie->first_order_ms = clock_wall_ms();
    }
    struct cloud_answer answer = cloud_add_machine(vpsie->world, cluster, strtoll(group, NULL, 10));
    answer_cloud(vpsie, &answer, response);
}

// ---------------------------------------------------------------------------------------------- routes

static void dispatch(struct vpsie_api *vpsie, const struct https_request *request,
                     struct https_response *response)
{
    const char *path = request->path + strlen(vpsie->base);
    AUTOJSON cJSON *body = cJSON_ParseWithLength(request->body, request->body_bytes);
    bool get = strcmp(request->method, "GET") == 0, post = strcmp(request->method, "POST") == 0;
    char cluster[64], word[64];
    int end = 0;
    if (post && strcmp(path, "/auth/from/api") == 0) {
        login(vpsie, request, response);
    } else if (!authorized(vpsie, request)) {
        response->status = 401;
        response->body = xstrdup("{\"error\":true,\"code\":401,\"message\":\"Unauthorized\"}");
    } else if (get && strcmp(path, "/k8s/cluster/all") == 0) {
        list_clusters(vpsie, response);
    } else if (get && sscanf(path, "/k8s/cluster/byId/%63[^/]%n", cluster, &end) == 1 && path[end] == '\0') {
        list_machines(vpsie, cluster, response);
    } else if (post && strcmp(path, "/k8s/offers") == 0) {
        list_offers(vpsie, json_text(body, "dcIdentifier"), response);
    } else if (get && sscanf(path, "/k8s/node/groups/byClusterId/%63[^/]%n", cluster, &end) == 1 &&
               path[end] == '\0') {
        list_groups(vpsie, cluster, response);
    } else if (post && strcmp(path, "/k8s/cluster/add/group") == 0) {
        add_group(vpsie, body, response);
    } else if (post &&
               sscanf(path, "/k8s/cluster/byId/%63[^/]/add/slave/group/%63[^/]%n", cluster, word, &end) ==
                   2 &&
               path[end] == '\0') {
        add_machine(vpsie, cluster, word, response);
    } else if (strcmp(request->method, "DELETE") == 0 &&
               sscanf(path, "/k8s/cluster/byId/%63[^/]/delete/slave%n", cluster, &end) == 1 && end > 0 &&
               path[end] == '\0') {
        struct cloud_answer answer =
            cloud_delete_machine(vpsie->world, cluster, json_text(body, "identifier"));
        answer_cloud(vpsie, &answer, response);
    } else {
        answer_error(vpsie, response, 404, "not found");
    }
}

void vpsie_api_handle(void *context, const struct https_request *request, struct https_response *response)
{
    struct vpsie_api *vpsie = context;
    if (strncmp(request->path, vpsie->base, strlen(vpsie->base)) != 0) {
        response->status = 404;
        response->content_type = "text/html";
        response->body = xstrdup("<html><body>404 Not Found</body></html>");
        return;
    }
    pthread_mutex_lock(vpsie->lock);
    dispatch(vpsie, request, response);
    pthread_cond_broadcast(vpsie->changed);
    pthread_mutex_unlock(vpsie->lock);
}
