/*
 * bs4nn_sort.c - the pixels of an image, sorted by their intensities: in C what bs4nn_sort_*.S does.
 */
#include "bs4nn_state.h"

#if !BS4NN_ASSEMBLY

/* Pixels are counted, or put where they belong. */
typedef enum { COUNT, PUT } task_t;

static ALWAYS_INLINE void take_pixel(half_t *places, half_t *spikes, uint32_t i, uint32_t intensity, task_t task)
{
    uint32_t place = places[intensity];
    if (task == PUT) {
        spikes[place] = (uint16_t)i;
    }
    places[intensity] = (uint16_t)(place + 1u);
}

static ALWAYS_INLINE void take_four(half_t *places, half_t *spikes, const uint8_t *pixels, const uint8_t *first,
                                    task_t task)
{
    if (task == PUT) {
        KEEP_IF_ROOM(first);
    }
    uint32_t i = (uint32_t)(first - pixels);
    take_pixel(places, spikes, i, first[0], task);
    take_pixel(places, spikes, ++i, first[1], task);
    take_pixel(places, spikes, ++i, first[2], task);
    take_pixel(places, spikes, ++i, first[3], task);
}

/* All pixels, but for those of four black ones. */
static ALWAYS_INLINE void take_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs,
                                      task_t task)
{
    uint32_t unaligned = (0u - (uint32_t)(uintptr_t)pixels) & 3u;
    uint32_t i = unaligned < inputs ? unaligned : inputs;
    uint32_t end = i + ((inputs - i) & ~7u);
    const uint8_t *eight = pixels + i;
    const uint8_t *end_of_eights = pixels + end;
    for (uint32_t k = 0; k < i; k++) {
        take_pixel(places, spikes, k, pixels[k], task);
    }
    while (eight != end_of_eights) {
        uint32_t first = ((const word_t *)(const void *)eight)[0];
        uint32_t second = ((const word_t *)(const void *)eight)[1];
        if (first != 0u) {
            take_four(places, spikes, pixels, eight, task);
        }
        if (second != 0u) {
            take_four(places, spikes, pixels, eight + 4, task);
        }
        eight += 8;
        KEEP_HERE(eight);
    }
    for (i = end; i < inputs; i++) {
        take_pixel(places, spikes, i, pixels[i], task);
    }
}

/* The place of the next intensity, of which there are `*slot` pixels. Returns that of the one after it. */
static ALWAYS_INLINE uint32_t take_place(half_t *slot, uint32_t place)
{
    uint32_t count = *slot;
    *slot = (uint16_t)place;
    place += count;
    KEEP_HERE(place);
    return place;
}

/* Sort the pixels that are not black, the brightest first, and fill `places`. Returns how many they are. */
ONE_OF_MANY uint32_t bs4nn_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs)
{
    word_t *blank = (word_t *)(void *)places;
    uint32_t place = 0;
    for (word_t *end = blank + PLACES_WORDS; blank != end; blank += 8) {
        blank[0] = blank[1] = blank[2] = blank[3] = 0;
        blank[4] = blank[5] = blank[6] = blank[7] = 0;
        KEEP_LOOP();
    }
    take_pixels(places, spikes, pixels, inputs, COUNT);
    places[0] = 0;
    do {
        blank -= 2; /* four at a time, for most intensities have no pixel */
        if ((blank[0] | blank[1]) != 0u) {
            half_t *slot = (half_t *)blank;
            place = take_place(slot + 3, place);
            place = take_place(slot + 2, place);
            place = take_place(slot + 1, place);
            place = take_place(slot, place);
        } else {
            blank[0] = blank[1] = place | place << 16;
        }
    } while (blank != (word_t *)(void *)places);
    places[0] = (uint16_t)place;
    take_pixels(places, spikes, pixels, inputs, PUT);
    return place;
}

#endif
