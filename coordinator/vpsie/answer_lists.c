#include <stdlib.h>
#include <string.h>

#include "coordinator/vpsie/answer.h"
#include "coordinator/vpsie/answer_json.h"

static const char *const id_names[] = {"id", "node_id", NULL};
static const char *const identifier_names[] = {"identifier", "nodeIdentifier", "uuid", NULL};
static const char *const hostname_names[] = {"hostname", "host_name", NULL};

static bool says_more(const cJSON *holder, int64_t items)
{
    int64_t number = 0;
    if (value_has_integer(holder, NAMES("total", "totalCount", "total_count", "totalItems", "total_items"),
                          &number) &&
        number > items) {
        return true;
    }
    if (value_has_integer(holder, NAMES("totalPages", "total_pages", "pages", "last_page", "lastPage"),
                          &number) &&
        number > 1) {
        return true;
    }
    const cJSON *next = value_of(holder, NAMES("next", "nextPage", "next_page", "next_page_url"));
    bool has_next = cJSON_IsTrue(next) || (cJSON_IsString(next) && next->valuestring[0] != '\0') ||
                    (cJSON_IsNumber(next) && next->valuedouble > 0);
    return has_next || value_bool(holder, NAMES("hasMore", "has_more", "hasNext", "has_next"), false);
}

// An answer that says itself that it is not the whole is worse than none.
static int check_complete(const struct answer *answer, int64_t items, struct error *error)
{
    const cJSON *holders[] = {answer->root, answer->data};
    for (size_t i = 0; i < 2; i++) {
        if (says_more(holders[i], items) || says_more(value_of(holders[i], NAMES("pagination")), items) ||
            says_more(value_of(holders[i], NAMES("meta")), items)) {
            return error_set(error, 0,
                             "VPSie's answer contradicts itself: it says there is more than the %lld it sent",
                             (long long)items);
        }
    }
    return 0;
}

// The list in `data`, also when it is nested under one of the names. NULL with *empty when there is none and
// that may mean none.
static const cJSON *find_list(const struct answer *answer, const char *const *names, bool *empty)
{
    *empty = false;
    if (cJSON_IsArray(answer->data)) {
        return answer->data;
    }
    if (answer->data == NULL || cJSON_IsNull(answer->data)) {
        // {"error":false,"data":null}: no entries, said in so many words
        *empty = answer->data != NULL;
        return NULL;
    }
    const cJSON *list = value_of(answer->data, names);
    if (list == NULL) {
        list = value_of(answer->data, NAMES("data", "rows", "items", "list", "results"));
    }
    return cJSON_IsArray(list) ? list : NULL;
}

// Its length, or -1 when it is too long or an entry is not an object.
static int64_t count_objects(const cJSON *list, struct error *error)
{
    int64_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsObject(item)) {
            return error_set(error, 0, "VPSie's answer holds a list with an entry that is not an object");
        }
        count++;
    }
    if (count > (int64_t)ANSWER_ITEMS_MAX) {
        return error_set(error, 0, "VPSie's answer holds %lld entries, more than %u", (long long)count,
                         ANSWER_ITEMS_MAX);
    }
    return count;
}

// Finds, counts and checks one list. Its length, or -1. *list may be NULL when the length is 0.
static int64_t take_list(const struct answer *answer, const char *const *names, const cJSON **list,
                         struct error *error)
{
    bool empty = false;
    *list = find_list(answer, names, &empty);
    if (*list == NULL && !empty) {
        return error_set(error, 0, "VPSie's answer holds no list");
    }
    int64_t count = count_objects(*list, error);
    if (count < 0 || check_complete(answer, count, error) != 0) {
        return -1;
    }
    return count;
}

static int32_t narrow(int64_t value)
{
    return value > INT32_MAX ? 0 : (int32_t)value;
}

int answer_groups(const struct answer *answer, struct arena *arena, const struct vpsie_group_facts **groups,
                  uint32_t *count, struct error *error)
{
    const cJSON *list = NULL, *item;
    int64_t length = take_list(answer, NAMES("groups", "nodeGroups", "node_groups"), &list, error);
    if (length < 0) {
        return -1;
    }
    struct vpsie_group_facts *facts = ARENA_ARRAY(arena, struct vpsie_group_facts, (size_t)length);
    *groups = facts;
    *count = (uint32_t)length;
    cJSON_ArrayForEach(item, list)
    {
        *facts++ = (struct vpsie_group_facts){
            .id = value_integer(item, NAMES("id", "groupId", "group_id")),
            .identifier = value_text(item, identifier_names, arena),
            .name = value_text(item, NAMES("group_name", "groupName", "name"), arena),
            .size_id = value_integer(item, NAMES("boxsize_id", "boxsizeId", "KubeSizeID", "kubeSizeId")),
            .cpu = narrow(value_integer(item, NAMES("cpu"))),
            .memory_mb = value_integer(item, NAMES("ram", "memory")),
            .disk_gb = value_integer(item, NAMES("ssd", "disk")),
            .nodes_count = narrow(value_integer(item, NAMES("nodes_count", "nodesCount", "count"))),
            .datacenter_id = value_text(item, NAMES("dcIdentifier", "datacenter_id", "datacenterId"), arena),
            .active = value_bool(item, NAMES("is_active", "isActive"), true),
            .deleted = value_bool(item, NAMES("is_deleted", "isDeleted"), false),
        };
        if (facts[-1].id == 0 && facts[-1].name[0] == '\0') {
            return error_set(error, 0, "VPSie's answer holds a group without id and name");
        }
    }
    return 0;
}

int answer_offers(const struct answer *answer, struct arena *arena, const struct offer_facts **offers,
                  uint32_t *count, struct error *error)
{
    const cJSON *list = NULL, *item;
    int64_t length = take_list(answer, NAMES("offers", "sizes", "plans"), &list, error);
    if (length < 0) {
        return -1;
    }
    struct offer_facts *facts = ARENA_ARRAY(arena, struct offer_facts, (size_t)length);
    *offers = facts;
    *count = 0;
    cJSON_ArrayForEach(item, list)
    {
        double month = value_real(item, NAMES("price", "monthly_price", "monthlyPrice"));
        double hour = value_real(item, NAMES("hourly_price", "hourlyPrice"));
        *facts = (struct offer_facts){
            .id = value_integer(item, NAMES("id", "boxsize_id")),
            .name = value_text(item, NAMES("name", "nickname"), arena),
            .cpu = narrow(value_integer(item, NAMES("cpu"))),
            .memory_mb = value_integer(item, NAMES("ram", "memory")),
            .disk_gb = value_integer(item, NAMES("disk", "ssd")),
            .price_month = month,
            .price_hour = hour > 0 ? hour : month / 730,
        };
        if (facts->id != 0) { // what has no number cannot be ordered
            facts++;
            (*count)++;
        }
    }
    return 0;
}

int answer_clusters(const struct answer *answer, struct arena *arena, const char *const **clusters,
                    uint32_t *count, struct error *error)
{
    const cJSON *list = NULL, *item;
    int64_t length = take_list(answer, NAMES("clusters"), &list, error);
    if (length < 0) {
        return -1;
    }
    const char **texts = ARENA_ARRAY(arena, const char *, (size_t)length);
    *clusters = texts;
    *count = 0;
    cJSON_ArrayForEach(item, list)
    {
        const char *identifier = value_text(item, identifier_names, arena);
        if (identifier[0] == '\0') {
            return error_set(error, 0, "VPSie's answer holds a cluster without identifier");
        }
        texts[(*count)++] = identifier;
    }
    return 0;
}

static enum machine_role role_of(const cJSON *item, enum machine_role listed)
{
    const char *const *const sources[] = {NAMES("role"), NAMES("node_type"), NAMES("nodeType"),
                                          NAMES("type")};
    enum machine_role role = listed;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        const cJSON *value = value_of(item, sources[i]);
        if (!cJSON_IsString(value)) {
            continue;
        }
        const char *text = value->valuestring;
        if (text_contains_fold(text, "master") || text_contains_fold(text, "manager") ||
            text_contains_fold(text, "control")) {
            return MACHINE_ROLE_MASTER; // one word for it is enough: a master is never touched
        }
        if (text_contains_fold(text, "slave") || text_contains_fold(text, "worker")) {
            role = role == MACHINE_ROLE_UNKNOWN ? MACHINE_ROLE_WORKER : role;
        }
    }
    return value_bool(item, NAMES("is_master", "isMaster"), false) ? MACHINE_ROLE_MASTER : role;
}

static struct machine_facts read_machine(const cJSON *item, enum machine_role listed, struct arena *arena)
{
    struct machine_facts facts = {
        .id = value_integer(item, id_names),
        .identifier = value_text(item, identifier_names, arena),
        .hostname = value_text(item, hostname_names, arena),
        .default_ip = value_text(item, NAMES("default_ip", "defaultIp", "ip", "public_ip"), arena),
        .private_ip = value_text(item, NAMES("private_ip", "privateIp"), arena),
        .role = role_of(item, listed),
        .datacenter_id = value_text(item, NAMES("datacenter_id", "dcIdentifier", "datacenterId"), arena),
        .status = value_text(item, NAMES("status", "state"), arena),
        .created_ms = value_time_ms(item, NAMES("created_on", "created_at", "createdOn")),
        .cpu = narrow(value_integer(item, NAMES("cpu"))),
        .memory_mb = value_integer(item, NAMES("ram", "memory")),
    };
    if (facts.identifier[0] == '\0' && facts.id == 0) { // an `id` that is no number is an identifier
        facts.identifier = value_text(item, id_names, arena);
    }
    return facts;
}

static bool same_machine(const struct machine_facts *a, const struct machine_facts *b)
{
    if (a->identifier[0] != '\0' && b->identifier[0] != '\0') {
        return text_equal_fold(a->identifier, b->identifier);
    }
    if (a->hostname[0] != '\0' && b->hostname[0] != '\0') {
        return text_equal_fold(a->hostname, b->hostname);
    }
    return a->id != 0 && a->id == b->id;
}

// Several lists of one answer may tell of the same machine: keep one, and a master a master.
static void add_machine(struct machine_facts *machines, uint32_t *count, uint32_t seen_before,
                        const struct machine_facts *machine)
{
    for (uint32_t i = 0; i < seen_before; i++) {
        if (same_machine(&machines[i], machine)) {
            if (machine->role == MACHINE_ROLE_MASTER || machines[i].role == MACHINE_ROLE_UNKNOWN) {
                machines[i].role = machine->role;
            }
            if (machines[i].identifier[0] == '\0') {
                machines[i].identifier = machine->identifier;
            }
            if (machines[i].status[0] == '\0') {
                machines[i].status = machine->status;
            }
            return;
        }
    }
    machines[(*count)++] = *machine;
}

// A cluster's object holds its machines in one list or several.
static const struct machine_list {
    const char *name;
    enum machine_role role;
} machine_lists[] = {{"nodes", MACHINE_ROLE_UNKNOWN},
                     {"masters", MACHINE_ROLE_MASTER},
                     {"managers", MACHINE_ROLE_MASTER},
                     {"slaves", MACHINE_ROLE_WORKER},
                     {"workers", MACHINE_ROLE_WORKER}};
#define MACHINE_LISTS (sizeof machine_lists / sizeof machine_lists[0])

static bool has_machine_list(const cJSON *object)
{
    for (size_t i = 0; i < MACHINE_LISTS; i++) {
        if (cJSON_IsArray(value_of(object, NAMES(machine_lists[i].name)))) {
            return true;
        }
    }
    return false;
}

// The object that holds the lists: `data` itself, or nested, or the one of several that is this cluster.
// *clusters: how many objects of a list are clusters, not machines.
static const cJSON *find_cluster(const cJSON *data, const char *cluster, int *clusters)
{
    *clusters = 0;
    if (cJSON_IsObject(data)) {
        return has_machine_list(data) ? data : value_of(data, NAMES("cluster", "data"));
    }
    const cJSON *item, *only = NULL;
    cJSON_ArrayForEach(item, data)
    {
        if (!has_machine_list(item)) {
            continue;
        }
        const cJSON *identifier = value_of(item, identifier_names);
        if (cJSON_IsString(identifier) && text_equal_fold(identifier->valuestring, cluster)) {
            return item;
        }
        only = item;
        (*clusters)++;
    }
    return *clusters == 1 ? only : NULL;
}

int answer_machines(const struct answer *answer, const char *cluster, struct arena *arena,
                    const struct machine_facts **machines, uint32_t *count, struct error *error)
{
    int clusters = 0;
    const cJSON *holder = find_cluster(answer->data, cluster, &clusters), *lists[MACHINE_LISTS] = {NULL};
    enum machine_role roles[MACHINE_LISTS] = {MACHINE_ROLE_UNKNOWN};
    size_t list_count = 0;
    if (has_machine_list(holder)) {
        const char *identifier = value_text(holder, identifier_names, arena);
        if (identifier[0] != '\0' && !text_equal_fold(identifier, cluster)) {
            return error_set(error, 0, "VPSie's answer is about another cluster than the one asked for");
        }
        for (size_t i = 0; i < MACHINE_LISTS; i++) {
            const cJSON *list = value_of(holder, NAMES(machine_lists[i].name));
            if (list != NULL && !cJSON_IsArray(list)) {
                return error_set(error, 0, "VPSie's answer holds a list of machines that is not a list");
            }
            if (list != NULL) {
                roles[list_count] = machine_lists[i].role;
                lists[list_count++] = list;
            }
        }
    } else if (cJSON_IsArray(answer->data) && clusters == 0) {
        lists[list_count++] = answer->data;
    } else {
        return error_set(error, 0, "VPSie's answer holds no list of machines");
    }
    int64_t total = 0;
    for (size_t i = 0; i < list_count; i++) {
        int64_t length = count_objects(lists[i], error);
        if (length < 0) {
            return -1;
        }
        total += length;
    }
    struct machine_facts *facts = ARENA_ARRAY(arena, struct machine_facts, (size_t)total);
    *machines = facts;
    *count = 0;
    for (size_t i = 0; i < list_count; i++) {
        const cJSON *item;
        uint32_t before = *count;
        cJSON_ArrayForEach(item, lists[i])
        {
            struct machine_facts machine = read_machine(item, roles[i], arena);
            if (machine.id == 0 && machine.identifier[0] == '\0' && machine.hostname[0] == '\0') {
                return error_set(error, 0,
                                 "VPSie's answer holds a machine without id, identifier and hostname");
            }
            add_machine(facts, count, before, &machine);
        }
    }
    return check_complete(answer, *count, error);
}

const struct machine_facts *answer_ordered(const struct answer *answer, struct arena *arena)
{
    const cJSON *data = answer->data != NULL ? answer->data : answer->root;
    if (cJSON_IsArray(data)) {
        data = cJSON_GetArraySize(data) == 1 ? data->child : NULL;
    }
    const cJSON *nested = value_of(data, NAMES("node", "slave", "server"));
    if (cJSON_IsObject(nested)) {
        data = nested;
    }
    if (!cJSON_IsObject(data)) {
        return NULL;
    }
    struct machine_facts machine = read_machine(data, MACHINE_ROLE_UNKNOWN, arena);
    if (machine.id == 0 && machine.identifier[0] == '\0' && machine.hostname[0] == '\0') {
        return NULL;
    }
    struct machine_facts *facts = ARENA_NEW(arena, struct machine_facts);
    *facts = machine;
    return facts;
}

int64_t answer_created_group(const struct answer *answer)
{
    const cJSON *data = answer->data != NULL ? answer->data : answer->root;
    if (cJSON_IsArray(data)) {
        data = data->child;
    }
    return value_integer(data, NAMES("groupId", "group_id", "id"));
}

const char *answer_token(const struct answer *answer, int64_t *expires_ms)
{
    const cJSON *holders[] = {answer->root, answer->data};
    for (size_t i = 0; i < 2; i++) {
        const cJSON *access = value_of(holders[i], NAMES("accessToken", "access_token"));
        const cJSON *token = cJSON_IsString(access) ? access : value_of(access, NAMES("token"));
        if (cJSON_IsString(token) && token->valuestring[0] != '\0') {
            *expires_ms = value_time_ms(cJSON_IsString(access) ? holders[i] : access,
                                        NAMES("expires", "expires_at", "expiresAt"));
            return token->valuestring;
        }
    }
    return NULL;
}
