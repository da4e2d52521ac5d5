#include "tests/unit/schedule/scene.h"

#include <assert.h>
#include <string.h>

void scene_begin(struct scene *scene)
{
    *scene = (struct scene){.cluster = cluster_create(), .arena = arena_create(4096)};
}

void scene_begin_zones(struct scene *scene)
{
    scene_begin(scene);
    scene_node(scene, "a1", "a");
    scene_node(scene, "a2", "a");
    scene_node(scene, "b1", "b");
    scene_node(scene, "bare", NULL);
}

void scene_end(struct scene *scene)
{
    arena_destroy(scene->arena);
    cluster_destroy(scene->cluster);
}

struct node *scene_node(struct scene *scene, const char *name, const char *zone)
{
    struct label labels[] = {{HOST, name}, {ZONE, zone}};
    struct node_facts facts = make_node(name);
    facts.labels = (struct labels){labels, zone == NULL ? 0 : 2};
    return cluster_put_node(scene->cluster, &facts);
}

void scene_space(struct scene *scene, const char *name, const char *key, const char *value)
{
    struct label label = {key, value};
    struct namespace_facts facts = {.name = name, .labels = {&label, 1}};
    cluster_put_space(scene->cluster, &facts);
}

struct pod_facts scene_pod(const char *name, const char *node, const char *app)
{
    static struct label labels[64]; // enough for one test program's pods at a time
    static uint32_t used;
    struct pod_facts facts = make_pod(name, node, 10, MIB);
    if (app != NULL) {
        struct label *label = &labels[used++ % 64];
        *label = (struct label){"app", app};
        facts.shape.labels = (struct labels){label, 1};
    }
    return facts;
}

const struct pod *scene_put(struct scene *scene, const struct pod_facts *facts)
{
    return cluster_put_pod(scene->cluster, facts);
}

struct packing *scene_packing(struct scene *scene)
{
    if (scene->packing.arena == NULL)
        scene->packing = packing_create(scene->arena, scene->cluster);
    return &scene->packing;
}

const char *scene_fits(struct scene *scene, const struct pod *pod)
{
    struct packing *packing = scene_packing(scene);
    const char *names = "";
    for (uint32_t i = 0; i < packing->place_count; i++) {
        if (packing_check(packing, i, pod).verdict == PLACEMENT_FITS)
            names = arena_printf(scene->arena, "%s%s%s", names, *names == '\0' ? "" : " ",
                                 packing->places[i].name);
    }
    return names;
}

uint32_t scene_place(struct scene *scene, const char *name)
{
    struct packing *packing = scene_packing(scene);
    for (uint32_t i = 0; i < packing->place_count; i++) {
        if (strcmp(packing->places[i].name, name) == 0)
            return i;
    }
    assert(!"there is such a place");
    return 0;
}

struct placement scene_why(struct scene *scene, const struct pod *pod, const char *place)
{
    return packing_check(scene_packing(scene), scene_place(scene, place), pod);
}

const char *scene_words(struct scene *scene, const struct pod *pod, const char *place)
{
    struct placement placement = scene_why(scene, pod, place);
    char words[200];
    placement_describe(&placement, words, sizeof(words));
    return arena_strdup(scene->arena, words);
}
