#include "tests/manifests/objects.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static void must(bool good, const char *what, const char *why)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, why);
        abort();
    }
}

static void add_document(struct objects *objects, const char *file, const char *text, size_t length)
{
    struct error error = {0};
    const struct yaml *node = yaml_read(text, length, objects->arena, &error);
    must(node != NULL, file, error.text);
    if (*yaml_text(node, "kind") == '\0') {
        return;
    }
    must(objects->count < OBJECTS_MAX, file, "more objects than expected");
    objects->files[objects->count] = file;
    objects->items[objects->count++] = node;
}

static void add_file(struct objects *objects, const char *path)
{
    AUTOTEXT struct text text = {0};
    struct error error = {0};
    must(text_read_file(path, YAML_BYTES_MAX, &text, &error) == 0, path, error.text);
    const char *file = arena_strdup(objects->arena, path);
    const char *begin = text_get(&text);
    for (const char *end; (end = strstr(begin, "\n---\n")) != NULL; begin = end + 5) {
        add_document(objects, file, begin, (size_t)(end - begin) + 1);
    }
    add_document(objects, file, begin, strlen(begin));
}

void objects_load(struct objects *objects, const char *folder)
{
    if (objects->arena == NULL) {
        objects->arena = arena_create(1 << 16);
    }
    AUTOFREE char *path = xprintf("%s/%s", VPSIE_SOURCE_DIR, folder);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    must(count >= 0, path, "cannot be listed");
    for (int i = 0; i < count; i++) {
        const char *suffix = strrchr(entries[i]->d_name, '.');
        if (suffix != NULL && strcmp(suffix, ".yaml") == 0) {
            AUTOFREE char *file = xprintf("%s/%s", path, entries[i]->d_name);
            add_file(objects, file);
        }
        free(entries[i]);
    }
    free(entries);
}

void objects_free(struct objects *objects)
{
    arena_destroy(objects->arena);
    *objects = (struct objects){0};
}

const struct yaml *objects_find(const struct objects *objects, const char *kind, const char *name)
{
    for (size_t i = 0; i < objects->count; i++) {
        if (strcmp(yaml_text(objects->items[i], "kind"), kind) == 0 &&
            strcmp(yaml_text(objects->items[i], "metadata.name"), name) == 0) {
            return objects->items[i];
        }
    }
    return NULL;
}

const struct yaml *yaml_at(const struct yaml *node, const char *path)
{
    AUTOFREE char *parts = xstrdup(path);
    char *rest = parts;
    for (char *part; node != NULL && (part = strsep(&rest, ".")) != NULL;) {
        node = yaml_get(node, part);
    }
    return node;
}

const char *yaml_text(const struct yaml *node, const char *path)
{
    const struct yaml *found = *path != '\0' ? yaml_at(node, path) : node;
    return found != NULL && found->kind == YAML_SCALAR && found->text != NULL ? found->text : "";
}

const struct yaml *yaml_where(const struct yaml *sequence, const char *member, const char *value)
{
    const struct yaml *item = sequence != NULL ? sequence->first : NULL;
    while (item != NULL && strcmp(yaml_text(item, member), value) != 0) {
        item = item->next;
    }
    return item;
}

bool yaml_lists(const struct yaml *sequence, const char *text)
{
    return yaml_where(sequence, "", text) != NULL;
}

size_t yaml_count(const struct yaml *sequence)
{
    size_t count = 0;
    for (const struct yaml *item = sequence != NULL ? sequence->first : NULL; item != NULL;
         item = item->next) {
        count++;
    }
    return count;
}

const char *program_output(struct arena *arena, const char *program, const char *word)
{
    const char *emulator = getenv("VPSIE_EMULATOR"); // of the machine that the programs are for
    AUTOFREE char *command =
        xprintf("%s %s/%s %s", emulator != NULL ? emulator : "", VPSIE_BIN_DIR, program, word);
    AUTOTEXT struct text text = {0};
    char buffer[4096];
    FILE *pipe = popen(command, "r");
    must(pipe != NULL, command, "cannot be started");
    for (size_t length; (length = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
        text_append_bytes(&text, buffer, length);
    }
    must(pclose(pipe) == 0, command, "failed");
    return arena_strdup(arena, text_get(&text));
}
