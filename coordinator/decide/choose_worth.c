#include "coordinator/decide/choose_draft.h"

#include <string.h>

// The least that machines can cost whose amounts add up to the demand (any fraction of a machine allowed) is
// a linear program; its dual prices amounts so that no choice brings more than it costs, and values the whole
// demand at that least cost. Solved by the dual simplex method on a dense table: a row for each amount that
// is asked for, a column for each choice and for the surplus of each amount. Prices of 0 are dual feasible,
// and every step keeps that: stopped early, what is found is a bound still, if a lower one.
// (Textbook: V. Chvatal, Linear Programming, chapter 10.)

#define PIVOTS_MAX 200
#define TINY       1e-9

struct program {
    uint32_t rows, columns;
    uint32_t axis[DRAFT_AXES]; // by row
    double demand[DRAFT_AXES]; // by axis
    double *table[DRAFT_AXES]; // by row; the last column is the right hand side
    double *cost;              // reduced, by column
};

static void measure(struct drafting *drafting, struct program *program)
{
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        const struct draft_kind *kind = &drafting->kinds[drafting->part_kinds[i]];
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            program->demand[axis] += (double)kind->ask[axis] * kind->count;
    }
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        if (program->demand[axis] > 0)
            program->axis[program->rows++] = axis;
}

// Amounts in parts of the demand: - (what the choices bring) + surplus = -1 for each.
static void fill(struct drafting *drafting, struct program *program)
{
    uint32_t choices = drafting->part_choice_count;
    program->columns = choices + program->rows;
    program->cost = ARENA_ARRAY(drafting->arena, double, program->columns + 1);
    for (uint32_t i = 0; i < choices; i++)
        program->cost[i] = drafting->price[drafting->part_choices[i]];
    for (uint32_t row = 0; row < program->rows; row++) {
        uint32_t axis = program->axis[row];
        double *line = ARENA_ARRAY(drafting->arena, double, program->columns + 1);
        for (uint32_t i = 0; i < choices; i++)
            line[i] = -(double)drafting->brings[drafting->part_choices[i]][axis] / program->demand[axis];
        line[choices + row] = 1;
        line[program->columns] = -1;
        program->table[row] = line;
    }
}

static uint32_t leaving_row(const struct program *program)
{
    uint32_t row = DRAFT_NONE;
    double least = -TINY;
    for (uint32_t i = 0; i < program->rows; i++)
        if (program->table[i][program->columns] < least) {
            least = program->table[i][program->columns];
            row = i;
        }
    return row;
}

static uint32_t entering_column(const struct program *program, const double *line)
{
    uint32_t column = DRAFT_NONE;
    double least = 0;
    for (uint32_t i = 0; i < program->columns; i++) {
        if (line[i] > -TINY)
            continue;
        double ratio = program->cost[i] / -line[i];
        if (column == DRAFT_NONE || ratio < least) {
            least = ratio;
            column = i;
        }
    }
    return column;
}

static void take_out(double *from, const double *line, double times, uint32_t columns)
{
    for (uint32_t i = 0; i <= columns; i++)
        from[i] -= times * line[i];
}

static bool pivot(struct program *program)
{
    uint32_t row = leaving_row(program);
    if (row == DRAFT_NONE)
        return false;
    double *line = program->table[row];
    uint32_t column = entering_column(program, line);
    if (column == DRAFT_NONE)
        return false; // nothing brings this amount: the bound so far is all there is
    double by = line[column];
    for (uint32_t i = 0; i <= program->columns; i++)
        line[i] /= by;
    for (uint32_t i = 0; i < program->rows; i++)
        if (i != row)
            take_out(program->table[i], line, program->table[i][column], program->columns);
    take_out(program->cost, line, program->cost[column], program->columns);
    return true;
}

void drafting_find_worth(struct drafting *drafting)
{
    struct program program = {0};
    measure(drafting, &program);
    fill(drafting, &program);
    for (int i = 0; i < PIVOTS_MAX && pivot(&program); i++)
        continue;
    memset(drafting->worth, 0, sizeof(drafting->worth));
    for (uint32_t row = 0; row < program.rows; row++) {
        double worth = program.cost[drafting->part_choice_count + row];
        drafting->worth[program.axis[row]] = worth > 0 ? worth / program.demand[program.axis[row]] : 0.0;
    }
    // rounding may have left a choice a hair too generous: then all is worth that hair less
    double most = 1;
    for (uint32_t i = 0; i < drafting->part_choice_count; i++) {
        uint32_t choice = drafting->part_choices[i];
        double brings = 0;
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            brings += (double)drafting->brings[choice][axis] * drafting->worth[axis];
        most = brings / drafting->price[choice] > most ? brings / drafting->price[choice] : most;
    }
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        drafting->worth[axis] /= most;
}
