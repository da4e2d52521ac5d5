// Runs a fuzzer's entry point without a fuzzing engine: over the files given (a directory stands for its
// files), and then over seeded mutations of them. The same seed gives the same inputs everywhere.
//   fuzz_wire [--seed S] [--runs N] PATH...
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUTS_MAX        4096
#define INPUT_BYTES_MAX   (1024u * 1024u)
#define MUTATED_BYTES_MAX (INPUT_BYTES_MAX + 4096u)
#define PATH_BYTES_MAX    4096
#define MUTATIONS_A_RUN   8u
#define SPLICE_BYTES_MAX  64u
#define CRASH_FILE        "fuzz-crash.bin"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct input {
    uint8_t *bytes;
    size_t length;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count;
static const uint8_t *running;
static size_t running_length;

static uint64_t random_state;

// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
static uint64_t next_random(void)
{
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t bound)
{
    return bound == 0 ? 0 : (size_t)(next_random() % bound);
}

static _Noreturn void give_up(const char *what, const char *path)
{
    fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
    exit(2);
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        give_up("cannot open", path);
    if (input_count == INPUTS_MAX) {
        fprintf(stderr, "more than %d inputs\n", INPUTS_MAX);
        exit(2);
    }
    uint8_t *bytes = malloc(INPUT_BYTES_MAX);
    if (bytes == NULL)
        give_up("cannot hold", path);
    size_t length = fread(bytes, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    inputs[input_count++] = (struct input){.bytes = bytes, .length = length};
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        give_up("cannot find", path);
    if (!S_ISDIR(status.st_mode)) {
        read_file(path);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, compare_names);
    if (count < 0)
        give_up("cannot list", path);
    for (int i = 0; i < count; i++) {
        char inside[PATH_BYTES_MAX];
        int length = snprintf(inside, sizeof(inside), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && length > 0 && length < PATH_BYTES_MAX)
            read_path(inside);
        free(entries[i]);
    }
    free(entries);
}

// The input in hand is left behind for whoever looks at the failure.
static void save_crash(int number)
{
    FILE *file = fopen(CRASH_FILE, "wbe");
    if (file != NULL) {
        fwrite(running, 1, running_length, file);
        fclose(file);
        fprintf(stderr, "the input is in %s\n", CRASH_FILE);
    }
    signal(number, SIG_DFL);
    raise(number);
}

// The copy has exactly the input's size, so that a sanitizer sees one byte read beyond it.
static void run(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    if (copy == NULL)
        give_up("cannot copy", "an input");
    memcpy(copy, bytes, length);
    running = copy;
    running_length = length;
    LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static size_t insert(uint8_t *bytes, size_t length, size_t at, const uint8_t *piece, size_t piece_length)
{
    if (length + piece_length > MUTATED_BYTES_MAX)
        return length;
    memmove(bytes + at + piece_length, bytes + at, length - at);
    memcpy(bytes + at, piece, piece_length);
    return length + piece_length;
}

static size_t splice(uint8_t *bytes, size_t length)
{
    const struct input *other = &inputs[below(input_count)];
    size_t from = below(other->length + 1);
    size_t piece = below(other->length - from + 1);
    piece = piece > SPLICE_BYTES_MAX ? SPLICE_BYTES_MAX : piece;
    return insert(bytes, length, below(length + 1), other->bytes + from, piece);
}

static size_t repeat(uint8_t *bytes, size_t length)
{
    uint8_t piece[SPLICE_BYTES_MAX];
    size_t from = below(length);
    size_t piece_length = below(length - from < SPLICE_BYTES_MAX ? length - from : SPLICE_BYTES_MAX);
    memcpy(piece, bytes + from, piece_length);
    return insert(bytes, length, from, piece, piece_length);
}

static size_t cut(uint8_t *bytes, size_t length)
{
    size_t from = below(length);
    size_t gone = 1 + below(length - from < SPLICE_BYTES_MAX ? length - from : SPLICE_BYTES_MAX);
    gone = gone > length - from ? length - from : gone;
    memmove(bytes + from, bytes + from + gone, length - from - gone);
    return length - gone;
}

static size_t mutate_once(uint8_t *bytes, size_t length)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, '"',
                                      '{',  '}',  '[',  ']',  '\\', '-',  '0'};
    if (length == 0)
        return splice(bytes, length);
    switch (below(8)) {
    case 0: bytes[below(length)] ^= (uint8_t)(1u << below(8)); return length;
    case 1: bytes[below(length)] = (uint8_t)next_random(); return length;
    case 2: bytes[below(length)] = telling[below(sizeof(telling))]; return length;
    case 3: bytes[below(length)] += (uint8_t)(below(9) - 4u); return length;
    case 4: return splice(bytes, length);
    case 5: return repeat(bytes, length);
    case 6: return cut(bytes, length);
    default: return below(16) == 0 ? below(length) : length; // cut off, now and then
    }
}

static void run_mutations(uint64_t runs)
{
    uint8_t *bytes = malloc(MUTATED_BYTES_MAX);
    if (bytes == NULL)
        give_up("cannot hold", "a mutation");
    for (uint64_t i = 0; i < runs; i++) {
        const struct input *input = &inputs[below(input_count)];
        size_t length = input->length;
        memcpy(bytes, input->bytes, length);
        size_t mutations = 1 + below(MUTATIONS_A_RUN);
        for (size_t j = 0; j < mutations; j++)
            length = mutate_once(bytes, length);
        run(bytes, length);
    }
    free(bytes);
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0') {
        fprintf(stderr, "\"%s\" is not a number\n", text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    uint64_t runs = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            random_state = number(argv[++i]);
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = number(argv[++i]);
        else
            read_path(argv[i]);
    }
    signal(SIGABRT, save_crash);
    signal(SIGSEGV, save_crash);
    for (size_t i = 0; i < input_count; i++)
        run(inputs[i].bytes, inputs[i].length);
    if (input_count > 0)
        run_mutations(runs);
    else
        run((const uint8_t *)"", 0);
    printf("%zu inputs and %llu mutations\n", input_count, (unsigned long long)runs);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].bytes);
    return 0;
}
