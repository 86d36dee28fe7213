/*
 * bs4nn_stages_pictures.c - see bs4nn_stages_pictures.h.
 *
 * In place: values are written in the order in which they are read, each after all that it is made of, so that no value
 * is lost that is still to be read.
 */
#include "bs4nn_stages_pictures.h"

#include "bs4nn_compiler.h"

/* Squares of four values, in a third of the instructions that the way for any square takes. */
static void halve(const uint8_t *from, uint8_t *to, uint32_t rows, uint32_t columns)
{
    for (; rows > 0u; rows -= 2u) {
        const uint8_t *end = from + columns;
        for (; from != end; from += 2) {
            *to++ = (uint8_t)(((uint32_t)from[0] + from[1] + from[columns] + from[columns + 1u] + 2u) >> 2);
        }
        from += columns;
    }
}

ONE_OF_MANY void bs4nn_square_means(const uint8_t *from, uint8_t *to, uint32_t rows, uint32_t columns, uint32_t side)
{
    if (side == 2u) {
        halve(from, to, rows, columns);
        return;
    }
    const uint32_t area = side * side;
    /* A core may have no division. With sum < 256 * area <= 2^24 the product stays below 2^32, and what is left of the
     * reciprocal makes the mean one too small at the most. */
    const uint32_t reciprocal = (1uL << 24) / area;
    for (uint32_t top = 0; top < rows; top += side) {
        for (uint32_t left = 0; left < columns; left += side) {
            const uint8_t *value = from + left;
            uint32_t sum = area / 2u;
            for (uint32_t y = side; y > 0u; y--) {
                for (const uint8_t *end = value + side; value != end; value++) {
                    sum += *value;
                }
                value += columns - side;
            }
            uint32_t mean = (sum * reciprocal) >> 24;
            mean += sum - mean * area >= area;
            *to++ = (uint8_t)mean;
        }
        from += side * columns;
    }
}

ONE_OF_MANY void bs4nn_grey(const uint8_t *from, uint8_t *to, uint32_t count, uint32_t format)
{
    const uint8_t *end = to + count;
    if (format == BS4NN_YUYV) {
        for (; to != end; from += 2) {
            *to++ = *from;
        }
    } else if (format == BS4NN_RGB888) {
        for (; to != end; from += 3) {
            *to++ = (uint8_t)((77u * from[0] + 150u * from[1] + 29u * from[2] + 128u) >> 8);
        }
    } else {
        const uint32_t high = format == BS4NN_RGB565LE, low = 1u - high;
        for (; to != end; from += 2) {
            uint32_t word = (uint32_t)from[high] << 8 | from[low];
            *to++ = (uint8_t)((633u * (word >> 11) + 607u * (word >> 5 & 63u) + 239u * (word & 31u) + 128u) >> 8);
        }
    }
}

ONE_OF_MANY void bs4nn_crop(const uint8_t *from, uint8_t *to, uint32_t width, uint32_t first, uint32_t rows,
                            uint32_t columns)
{
    for (from += first; rows > 0u; rows--, from += width) {
        for (uint32_t x = 0; x < columns; x++) {
            *to++ = from[x];
        }
    }
}

ONE_OF_MANY void bs4nn_invert(const uint8_t *from, uint8_t *to, uint32_t count, uint32_t highest)
{
    for (const uint8_t *end = from + count; from != end; from++) {
        *to++ = (uint8_t)(highest - *from);
    }
}

/* sum / count, which is 255 at the most, without a division: many cores have none. */
static uint32_t quotient(uint32_t sum, uint32_t count)
{
    uint32_t bits = 0;
    for (uint32_t bit = 128, part = count << 7; bit > 0u; bit >>= 1, part >>= 1) {
        if (sum >= part) {
            sum -= part;
            bits |= bit;
        }
    }
    return bits;
}

/* A picture that is made smaller or larger, line by line. A value is to_columns wide and to_rows high, and a new one
 * `columns` wide and `rows` high, so that all borders are whole numbers. */
typedef struct {
    uint32_t rows, columns;
    uint32_t to_rows, to_columns;
    uint32_t missing; /* rows of the new value that are still to come */
    uint32_t *line;   /* (to_columns) sums of the line that has come, by new value */
    uint32_t *sums;   /* (to_columns) sums of all lines that belong to the new value, by what of them does */
    uint8_t *to;      /* the next new value */
} resizing_t;

/* Of a picture and its new one, whose sizes are there already. */
static void begin_resizing(resizing_t *resizing, uint8_t *to, uint32_t *scratch)
{
    resizing->to = to;
    resizing->missing = resizing->rows;
    resizing->line = scratch;
    resizing->sums = scratch + resizing->to_columns;
    for (uint32_t x = 0; x < resizing->to_columns; x++) {
        resizing->sums[x] = 0;
    }
}

static void sum_line(const resizing_t *resizing, const uint8_t *line)
{
    const uint32_t width = resizing->columns;
    uint32_t *sums = resizing->line, *end = sums + resizing->to_columns;
    uint32_t sum = 0, missing = width, value = 0, left = 0;
    while (sums != end) {
        if (left == 0u) {
            value = *line++;
            left = resizing->to_columns;
        }
        if (left < missing) {
            sum += value * left;
            missing -= left;
            left = 0;
        } else {
            *sums++ = sum + value * missing;
            left -= missing;
            sum = 0;
            missing = width;
        }
    }
}

static void add_line(resizing_t *resizing, const uint8_t *line)
{
    const uint32_t area = resizing->rows * resizing->columns, columns = resizing->to_columns;
    uint32_t left = resizing->to_rows;
    sum_line(resizing, line);
    for (; left >= resizing->missing; resizing->missing = resizing->rows) {
        for (uint32_t x = 0; x < columns; x++) {
            uint32_t sum = resizing->sums[x] + resizing->missing * resizing->line[x];
            *resizing->to++ = (uint8_t)quotient(sum + area / 2u, area);
            resizing->sums[x] = 0;
        }
        left -= resizing->missing;
    }
    for (uint32_t x = 0; x < columns; x++) {
        resizing->sums[x] += left * resizing->line[x];
    }
    resizing->missing -= left;
}

ONE_OF_MANY void bs4nn_resize(const uint8_t *from, uint8_t *to, void *scratch, uint32_t rows, uint32_t columns,
                              uint32_t to_rows, uint32_t to_columns)
{
    resizing_t resizing;
    resizing.rows = rows;
    resizing.columns = columns;
    resizing.to_rows = to_rows;
    resizing.to_columns = to_columns;
    begin_resizing(&resizing, to, (uint32_t *)scratch);
    for (uint32_t y = 0; y < rows; y++) {
        add_line(&resizing, from);
        from += columns;
    }
}

/* ---- Ink ---- */

static const uint32_t faintest = 32, darkest_ground = 16, rounds = 4;

/* A picture whose ink is looked for. Its cells are followed by one more on all sides, and begin with one. */
typedef struct {
    const uint8_t *from;
    const uint16_t *numbers;
    uint32_t rows, columns;
    uint32_t turn;                    /* XOR with it makes bright ink dark */
    uint32_t cell_rows, cell_columns; /* with those around */
    half_t *gains;                    /* of each cell: 65,535 by its ground */
    uint8_t *grounds;                 /* of each cell */
    uint8_t *line;                    /* (columns) */
    uint32_t *rest;                   /* of the scratch */
} paper_t;

/* The part of a picture that is ink. */
typedef struct {
    uint32_t top, bottom, left, right; /* right and bottom do not belong to it any more */
} part_t;

/* A cell's values that are at least its mean are ground: their mean. */
static uint32_t ground_of(const paper_t *paper, uint32_t top, uint32_t left)
{
    const uint32_t side = 1u << paper->numbers[BS4NN_INK_CELL], turn = paper->turn;
    const uint32_t rows = paper->rows - top < side ? paper->rows - top : side;
    const uint32_t columns = paper->columns - left < side ? paper->columns - left : side;
    const uint8_t *first = paper->from + top * paper->columns + left;
    uint32_t sum = 0, bright = 0, count = 0;
    const uint8_t *line = first;
    for (uint32_t y = rows; y > 0u; y--, line += paper->columns) {
        for (const uint8_t *value = line, *end = line + columns; value != end; value++) {
            sum += *value ^ turn;
        }
    }
    const uint32_t least = quotient(sum, rows * columns);
    for (uint32_t y = rows; y > 0u; y--, first += paper->columns) {
        for (const uint8_t *value = first, *end = first + columns; value != end; value++) {
            const uint32_t one = *value ^ turn;
            if (one >= least) {
                bright += one;
                count++;
            }
        }
    }
    return quotient(bright, count);
}

/* The value after `last` on the line through both. */
static uint8_t beyond(uint32_t last, uint32_t before)
{
    const uint32_t twice = 2u * last;
    if (twice < before) {
        return 0;
    }
    return (uint8_t)(twice - before > 255u ? 255u : twice - before);
}

/* Cells around those of the picture: first above and below, then on both sides. */
static void go_beyond(const paper_t *paper)
{
    const uint32_t columns = paper->cell_columns, rows = paper->cell_rows;
    uint8_t *grounds = paper->grounds;
    uint8_t *last = grounds + (rows - 1u) * columns;
    for (uint32_t x = 1; x < columns - 1u; x++) {
        grounds[x] = beyond(grounds[columns + x], grounds[2u * columns + x]);
        last[x] = beyond(*(last - columns + x), *(last - 2u * columns + x));
    }
    for (uint32_t y = 0; y < rows; y++, grounds += columns) {
        grounds[0] = beyond(grounds[1], grounds[2]);
        grounds[columns - 1u] = beyond(grounds[columns - 2u], grounds[columns - 3u]);
    }
}

/* The largest (turn 0) or smallest (turn 255) ground of a cell and its neighbours. */
static uint8_t widest(const paper_t *paper, const uint8_t *grounds, uint32_t y, uint32_t x, uint32_t turn)
{
    const uint32_t columns = paper->cell_columns;
    uint32_t most = 0;
    for (uint32_t row = y > 0u ? y - 1u : 0u; row <= y + 1u && row < paper->cell_rows; row++) {
        for (uint32_t column = x > 0u ? x - 1u : 0u; column <= x + 1u && column < columns; column++) {
            const uint32_t one = grounds[row * columns + column] ^ turn;
            most = one > most ? one : most;
        }
    }
    return (uint8_t)(most ^ turn);
}

/* The gains of all cells. Cells full of ink have neighbours that are not: closing takes what is narrower than three. */
static void measure_ground(const paper_t *paper)
{
    const uint32_t columns = paper->cell_columns, rows = paper->cell_rows, cells = rows * columns;
    const uint32_t side = 1u << paper->numbers[BS4NN_INK_CELL];
    uint8_t *wider = (uint8_t *)paper->gains; /* which come later */
    for (uint32_t y = 1; y < rows - 1u; y++) {
        for (uint32_t x = 1; x < columns - 1u; x++) {
            paper->grounds[y * columns + x] = (uint8_t)ground_of(paper, (y - 1u) * side, (x - 1u) * side);
        }
    }
    go_beyond(paper);
    for (uint32_t y = 0; y < rows; y++) {
        for (uint32_t x = 0; x < columns; x++) {
            wider[y * columns + x] = widest(paper, paper->grounds, y, x, 0);
        }
    }
    for (uint32_t y = 1; y < rows - 1u; y++) {
        for (uint32_t x = 1; x < columns - 1u; x++) {
            paper->grounds[y * columns + x] = widest(paper, wider, y, x, 255);
        }
    }
    go_beyond(paper);
    for (uint32_t i = 0; i < cells; i++) {
        const uint32_t ground = paper->grounds[i];
        paper->gains[i] = (half_t)(ground < darkest_ground ? 65535u : 65535u / (ground + 1u));
    }
}

/* How much darker than the ground the values of a line are. Gains are those in the middles of cells; between four of
 * them each counts as it is near. */
static void look_at_line(const paper_t *paper, uint32_t y)
{
    const uint32_t bits = paper->numbers[BS4NN_INK_CELL], side = 1u << bits, turn = paper->turn;
    const uint32_t down = (y + side / 2u) & (side - 1u), up = side - down;
    const half_t *above = paper->gains + ((y + side / 2u) >> bits) * paper->cell_columns;
    const half_t *below = above + paper->cell_columns;
    const uint8_t *value = paper->from + y * paper->columns;
    uint8_t *to = paper->line;
    uint32_t next = *above++ * up + *below++ * down, right = side / 2u;
    for (uint32_t missing = paper->columns; missing > 0u;) {
        const uint32_t left = next;
        next = *above++ * up + *below++ * down;
        const uint32_t step = next - left; /* modulo 2^32 */
        const uint32_t count = side - right < missing ? side - right : missing;
        uint32_t gain = (left << bits) + right * step;
        for (const uint8_t *end = value + count; value != end; value++) {
            const uint32_t bright = (((*value ^ turn) + 1u) * (gain >> (2u * bits))) >> 8;
            *to++ = (uint8_t)(bright > 255u ? 0u : 255u - bright);
            gain += step;
        }
        missing -= count;
        right = 0;
    }
}

/* The contrast that ink has: the mean of those that have at least half of it, from half of the highest on. */
static uint32_t ink_level(const paper_t *paper)
{
    uint32_t *counts = paper->rest, level = 255;
    for (uint32_t contrast = 0; contrast < 256u; contrast++) {
        counts[contrast] = 0;
    }
    for (uint32_t y = 0; y < paper->rows; y++) {
        look_at_line(paper, y);
        for (uint32_t x = 0; x < paper->columns; x++) {
            counts[paper->line[x]]++;
        }
    }
    while (counts[level] == 0u) {
        level--;
    }
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t sum = 0, count = 0;
        for (uint32_t contrast = (level + 1u) / 2u; contrast < 256u; contrast++) {
            sum += counts[contrast] * contrast;
            count += counts[contrast];
        }
        level = quotient(sum, count);
    }
    return level;
}

/* From the first row to the last that has so much contrast in neighbours, and columns alike; 0 where there are none. */
static int find_ink(const paper_t *paper, uint32_t least, part_t *part)
{
    const uint32_t speck = paper->numbers[BS4NN_INK_SPECK];
    uint8_t *down = (uint8_t *)paper->rest; /* how many above each other are ink, by column */
    for (uint32_t x = 0; x < paper->columns; x++) {
        down[x] = 0;
    }
    part->left = paper->columns;
    part->top = paper->rows;
    part->right = part->bottom = 0;
    for (uint32_t y = 0; y < paper->rows; y++) {
        uint32_t across = 0, most = 0;
        look_at_line(paper, y);
        for (uint32_t x = 0; x < paper->columns; x++) {
            if (paper->line[x] < least) {
                across = down[x] = 0;
                continue;
            }
            across++;
            most = across > most ? across : most;
            down[x] = (uint8_t)(down[x] + (down[x] < speck));
            if (down[x] == speck) {
                part->left = x < part->left ? x : part->left;
                part->right = x + 1u > part->right ? x + 1u : part->right;
            }
        }
        if (most >= speck) {
            part->top = y < part->top ? y : part->top;
            part->bottom = y + 1u;
        }
    }
    return part->right > 0u && part->bottom > 0u;
}

/* The part of the picture scaled into the box, as intensities, from `to` on; its size stands in `made` afterwards. */
static void scale_ink(const paper_t *paper, const part_t *part, uint32_t level, uint8_t *to, resizing_t *made)
{
    const uint16_t *numbers = paper->numbers;
    const uint32_t box_rows = numbers[BS4NN_INK_BOX_ROWS], box_columns = numbers[BS4NN_INK_BOX_COLUMNS];
    const uint32_t rows = part->bottom - part->top, columns = part->right - part->left;
    const uint32_t nothing = level / 4u, span = level - level / 8u - nothing;
    uint8_t *intensity = (uint8_t *)paper->rest;
    for (uint32_t contrast = 0; contrast < 256u; contrast++) {
        uint32_t above = contrast < nothing ? 0u : contrast - nothing;
        above = above > span ? span : above;
        intensity[contrast] = (uint8_t)quotient(above * numbers[BS4NN_INK_HIGHEST], span);
    }
    made->rows = rows;
    made->columns = columns;
    made->to_rows = box_rows;
    made->to_columns = box_columns;
    if (columns * box_rows >= rows * box_columns) {
        const uint32_t fitting = quotient(2u * rows * box_columns + columns, 2u * columns);
        made->to_rows = fitting > 0u ? fitting : 1u;
    } else {
        const uint32_t fitting = quotient(2u * columns * box_rows + rows, 2u * rows);
        made->to_columns = fitting > 0u ? fitting : 1u;
    }
    begin_resizing(made, to, paper->rest + 64);
    for (uint32_t y = part->top; y < part->bottom; y++) {
        look_at_line(paper, y);
        for (uint32_t x = part->left; x < part->right; x++) {
            paper->line[x] = intensity[paper->line[x]];
        }
        add_line(made, paper->line + part->left);
    }
}

/* Where a side of the ink begins, so that its centre of mass comes to its place, or as near as the result allows. */
static uint32_t corner(uint32_t moment, uint32_t mass, uint32_t centre, uint32_t most)
{
    const uint32_t whole = quotient(moment, mass);
    const uint32_t middle = 256u * whole + quotient((moment - whole * mass) << 8, mass);
    const uint32_t begin = middle > centre ? 0u : (centre - middle) >> 8;
    return begin > most ? most : begin;
}

/* Ink of rows x columns values, which lies at the beginning of the result, is moved to its place; 0 around it. */
static void centre_ink(const uint16_t *numbers, uint8_t *to, uint32_t rows, uint32_t columns)
{
    const uint32_t to_rows = numbers[BS4NN_INK_ROWS], to_columns = numbers[BS4NN_INK_COLUMNS];
    uint32_t mass = 0, down = 0, across = 0, top = 0, left = 0;
    for (uint32_t y = 0; y < rows; y++) {
        for (uint32_t x = 0; x < columns; x++) {
            const uint32_t value = to[y * columns + x];
            mass += value;
            down += value * y;
            across += value * x;
        }
    }
    if (mass > 0u) {
        top = corner(down, mass, numbers[BS4NN_INK_CENTRE_ROW], to_rows - rows);
        left = corner(across, mass, numbers[BS4NN_INK_CENTRE_COLUMN], to_columns - columns);
    }
    for (uint32_t y = to_rows; y-- > 0u;) { /* from the end on, for no value moves to the front */
        for (uint32_t x = to_columns; x-- > 0u;) {
            const int inside = y >= top && y - top < rows && x >= left && x - left < columns;
            to[y * to_columns + x] = inside ? to[(y - top) * columns + x - left] : 0;
        }
    }
}

ONE_OF_MANY void bs4nn_ink(const uint8_t *from, uint8_t *to, void *scratch, const uint16_t *numbers, uint32_t rows,
                           uint32_t columns)
{
    const uint32_t bits = numbers[BS4NN_INK_CELL], side = 1u << bits;
    paper_t paper;
    paper.from = from;
    paper.numbers = numbers;
    paper.rows = rows;
    paper.columns = columns;
    paper.turn = numbers[BS4NN_INK_BRIGHT] != 0u ? 255u : 0u;
    paper.cell_rows = ((rows + side - 1u) >> bits) + 2u;
    paper.cell_columns = ((columns + side - 1u) >> bits) + 2u;
    const uint32_t cells = paper.cell_rows * paper.cell_columns;
    paper.gains = (half_t *)scratch;
    paper.grounds = (uint8_t *)(paper.gains + cells);
    paper.rest = (uint32_t *)scratch + (3u * cells + 3u) / 4u;
    paper.line = (uint8_t *)paper.rest;
    paper.rest += (columns + 3u) / 4u;
    measure_ground(&paper);

    const uint32_t level = ink_level(&paper), values = (uint32_t)numbers[BS4NN_INK_ROWS] * numbers[BS4NN_INK_COLUMNS];
    part_t part;
    if (level >= faintest && find_ink(&paper, (level + 1u) / 2u, &part)) {
        resizing_t made;
        scale_ink(&paper, &part, level, to, &made);
        centre_ink(numbers, to, made.to_rows, made.to_columns);
        return;
    }
    for (uint32_t i = 0; i < values; i++) {
        to[i] = 0;
    }
}
