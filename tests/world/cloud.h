// What this room is for: the VPSie cloud: clusters, groups, sizes, machines that take their time, quotas,
// answers that say little, and people at the panel. What it knows: the managed-Kubernetes API's behaviour.
// What it may not do: speak HTTP (lost replies and 5xx belong to whoever carries the call).
#ifndef VPSIE_TESTS_WORLD_CLOUD_H
#define VPSIE_TESTS_WORLD_CLOUD_H

#include "tests/world/world.h"

struct cloud_size {
    int64_t id;
    char name[32];
    char datacenter[40];
    int32_t cpu;
    int64_t memory_mb, disk_gb;
    double price_month;
};
struct cloud_site {
    char identifier[40];
    char name[40];
    char datacenter[40];
};
struct cloud_group {
    int64_t id;
    char identifier[37];
    char cluster[40];
    char name[80];
    int64_t size_id;
    bool deleted;
    int32_t count_error; // nodes_count is wrong by so much (a contradiction)
};
struct cloud_machine {
    int64_t id;
    char identifier[37];
    char cluster[40];
    char hostname[80];  // as the list shows it
    char node_name[80]; // as the kubelet registers
    char default_ip[16], private_ip[16];
    bool master;
    int64_t group_id; // 0: in none
    int64_t size_id;
    int64_t created_ms;
    uint64_t call; // number of the API call that made it, 0: a person or the beginning
    bool listed;   // in the node list
    bool counted;  // in its group's nodes_count
    bool leaving;  // deletion asked
    bool gone;     // no longer there at all; kept for the record
    int64_t gone_ms;
    bool joins;      // its kubelet will register
    bool registered; // its kubelet has
    bool alive;      // its kubelet runs
    int64_t died_ms;
};

enum cloud_list_mode { CLOUD_LIST_RIGHT, CLOUD_LIST_EMPTY, CLOUD_LIST_PARTIAL };

struct cloud {
    struct cloud_site *clusters;
    struct cloud_size *sizes;
    struct cloud_group *groups;
    struct cloud_machine **machines; // in order of creation, gone ones too
    size_t cluster_count, size_count, group_count, machine_count;
    int64_t next_id;
    enum cloud_list_mode list_mode;
    bool hides_roles;            // the list calls nobody a master
    uint32_t list_keeps_percent; // PARTIAL: so much of the list is shown (the oldest)
    // The ledger: what was asked, ever.
    uint64_t add_calls, machines_made, delete_calls, groups_made;
};

enum cloud_shape { CLOUD_NOTHING, CLOUD_TRUE, CLOUD_OBJECT };
struct cloud_answer {
    int status; // HTTP
    bool error; // "error": true (with status 200 as well)
    char message[160];
    enum cloud_shape shape;
    struct cloud_machine *machine; // OBJECT; also set for TRUE: what was made, which the answer does not tell
    int64_t group_id;              // CREATE: 0 when not told
};

// Before the story: what is there.
void cloud_add_cluster(struct world *world, const char *identifier, const char *name, const char *datacenter);
void cloud_add_size(struct world *world, int64_t id, const char *name, const char *datacenter, int32_t cpu,
                    int64_t memory_mb, int64_t disk_gb, double price_month);
// A machine that is there, has joined (its Node is Ready) and belongs to a group, or to none (0).
struct cloud_machine *cloud_add_present(struct world *world, const char *cluster, const char *hostname,
                                        int64_t group_id, int64_t size_id, bool master);

// The API.
// Machines in the order of the list. The caller frees the array. NULL and count 0 when the list is empty.
const struct cloud_machine **cloud_list_machines(struct world *world, const char *cluster, size_t *count);
int32_t cloud_group_nodes(const struct world *world, const struct cloud_group *group); // nodes_count
struct cloud_answer cloud_create_group(struct world *world, const char *cluster, const char *name,
                                       int64_t size_id);
struct cloud_answer cloud_add_machine(struct world *world, const char *cluster, int64_t group_id);
struct cloud_answer cloud_delete_machine(struct world *world, const char *cluster, const char *identifier);
struct cloud_answer cloud_delete_group(struct world *world, const char *cluster, const char *identifier);

// NULL when absent.
struct cloud_site *cloud_cluster_find(const struct world *world, const char *identifier);
struct cloud_group *cloud_group_by_id(const struct world *world, const char *cluster, int64_t id);
struct cloud_group *cloud_group_by_name(const struct world *world, const char *cluster, const char *name);
const struct cloud_size *cloud_size_by_id(const struct world *world, int64_t id);
struct cloud_machine *cloud_machine_find(const struct world *world, const char *identifier); // gone ones too
struct cloud_machine *cloud_machine_by_node(const struct world *world, const char *node_name); // not gone
// How many machines of a cluster exist now (leaving ones too), masters and foreign ones aside.
size_t cloud_workers(const struct world *world, const char *cluster);

// People at the panel, and fate.
struct cloud_machine *person_adds_machine(struct world *world, const char *cluster, int64_t group_id);
void person_deletes_machine(struct world *world, const char *identifier);
struct cloud_group *person_adds_group(struct world *world, const char *cluster, const char *name,
                                      int64_t size_id);
void fate_stops_machine(struct world *world, const char *identifier); // powered off, still in the list
void fate_starts_machine(struct world *world, const char *identifier);

#endif
