/*
 * bs4nn - binarized spiking neural networks on small processors.
 *
 * One bit a synapse (+1 or -1), non-leaky integrate-and-fire neurons that fire at most once, pixels
 * coded as the time of their one spike, and the first output spike as the answer. Whole numbers
 * only; no heap, no global state, no recursion. The meaning of every field is fixed by SPEC.md.
 *
 *     static uint32_t workspace[BS4NN_NET_DIGITS_WORKSPACE_WORDS];
 *     bs4nn_t net;
 *     bs4nn_result_t result;
 *     int error = bs4nn_net_digits_init(&net, workspace, sizeof workspace);
 *     int answer = bs4nn_net_digits_classify(&net, sample, &result);
 *
 * `bs4nn_net_digits` is a `const bs4nn_network_t` made by `bs4nn-tc generate` of a network named "digits"; only
 * names of networks start with `bs4nn_net_`. The functions of its header take samples as they come; they call those below,
 * which take pixels: the same thing where nothing is done to a sample first. Several networks, and several instances of one network, live side by side:
 * each needs a workspace of its own.
 */
#ifndef BS4NN_H
#define BS4NN_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#if INT_MAX < 0x7FFFFFFF
#error "bs4nn computes with words of 32 bits: a processor whose int has 16 (AVR, MSP430) is not supported"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the data layout below. Generated headers refuse to compile against another one. */
#define BS4NN_FORMAT 5

/*
 * A program has one format: two libraries of different formats would take each other's functions without a word. Every
 * object file that knows the format says so under a name of its own; the linker keeps one of equal names, and refuses
 * what different ones define both. It takes no byte.
 */
#if defined(__GNUC__) && defined(__ELF__)
#define BS4NN_TEXT_(x) #x
#define BS4NN_TEXT(x) BS4NN_TEXT_(x)
__asm__(".ifndef .Lbs4nn_format_" BS4NN_TEXT(BS4NN_FORMAT) "\n"
        ".pushsection .rodata.bs4nn_format, \"aG\", %progbits, bs4nn_format_" BS4NN_TEXT(BS4NN_FORMAT) ", comdat\n"
        ".Lbs4nn_format_" BS4NN_TEXT(BS4NN_FORMAT) ":\n"
        ".globl bs4nn_libraries_of_different_formats\n"
        "bs4nn_libraries_of_different_formats:\n"
        ".popsection\n"
        ".endif");
#endif

/* Of all structures: they begin at the address of a word even with -fpack-struct, which finds no gap in them to close. */
#if defined(__GNUC__)
#define BS4NN_ALIGNED __attribute__((__aligned__(sizeof(void *))))
#else
#define BS4NN_ALIGNED
#endif

/* What a function returns when it fails: always negative. */
#define BS4NN_ERROR_ARGUMENT (-1)  /* a pointer that must not be NULL is NULL */
#define BS4NN_ERROR_NETWORK (-2)   /* the network's sizes contradict each other */
#define BS4NN_ERROR_WORKSPACE (-3) /* the workspace is too small or not aligned to 4 bytes */
#define BS4NN_ERROR_PIXEL (-4)     /* a pixel is brighter than the network's intensity_max */

/*
 * A layer. Neuron j lives in bit j % 32 of word j / 32.
 *
 * `columns` holds, of a hidden layer, one column of `inputs` words for every word of neurons; a set bit is a synapse of
 * +1, a clear bit one of -1. Bits beyond the last neuron are clear.
 *
 * `threshold` is the highest threshold. Where neurons differ, a neuron starts with a lead of half its
 * distance to the highest; `spread` is the largest lead. `start` holds, for every word, the bit planes of the
 * leads, then a word whose set bits mark the neurons whose distance is odd.
 */
typedef struct {
    uint16_t inputs;
    uint16_t neurons;
    uint16_t words;
    uint16_t threshold;
    uint16_t spread;
    uint8_t planes;          /* bit planes of a word's counters */
    uint8_t start_planes;    /* bit planes of the leads */
    uint32_t state;          /* index of this layer's first word in the workspace */
    const uint32_t *start;   /* words x (start_planes + 1), or NULL with a shared threshold */
    const uint32_t *columns; /* words x inputs; NULL in the output layer */
} BS4NN_ALIGNED bs4nn_layer_t;

/*
 * A network: constant data, made by the generator. `rows` holds the synapses of the output layer, one row for every
 * input of it: output neuron j lives in bit j % 16 of half-word j / 16, the rest as above.
 */
typedef struct {
    const char *name;
    const uint8_t *digest;    /* 32 bytes, SHA-256 of what gives the network its meaning */
    uint16_t time_steps;      /* T: steps are 0 .. T-1, and T means "never" */
    uint16_t readout_step;    /* its output potentials decide when nobody fires */
    uint16_t steps_a_unit;    /* T / intensity_max, the steps by which a pixel fires later that is darker by 1, ... */
    uint8_t remainder_a_unit; /* ... and T % intensity_max */
    uint8_t intensity_max;    /* intensity of a pixel that fires at step 0 */
    uint16_t delay;           /* crossing at step t gives firing time t + delay, 0 or 1 */
    uint16_t hidden_layers;
    uint32_t workspace_words; /* exact size of the workspace */
    const bs4nn_layer_t *layers; /* the hidden ones from the input side, then the output layer */
    const uint16_t *rows;     /* inputs of the output layer x half-words */
} BS4NN_ALIGNED bs4nn_network_t;

/* An instance: a network and the memory it works in. */
typedef struct {
    const bs4nn_network_t *network;
    uint32_t *workspace;
} BS4NN_ALIGNED bs4nn_t;

/* What one inference tells. */
typedef struct {
    uint16_t answer;        /* the class */
    uint16_t response_time; /* first output firing time in steps; time_steps if nobody fired */
    uint32_t spikes;        /* input and hidden spikes up to and including the deciding step */
} BS4NN_ALIGNED bs4nn_result_t;

/* Where bs4nn_trace writes; both arrays belong to the caller. */
typedef struct {
    uint16_t *firing_times;      /* bs4nn_neurons() values: layer by layer, time_steps = never */
    int32_t *readout_potentials; /* one an output neuron, after readout_step */
} BS4NN_ALIGNED bs4nn_trace_t;

/*
 * Bind a network to a workspace of at least network->workspace_words words and check both, but for the lengths of the
 * network's arrays, which it does not say. `workspace_bytes` is the workspace's size in bytes. Returns 0 or a negative
 * error; after that `net` is bound to nothing, and every other call returns BS4NN_ERROR_ARGUMENT.
 */
int bs4nn_init(bs4nn_t *net, const bs4nn_network_t *network, uint32_t *workspace, size_t workspace_bytes);

/*
 * Classify one image of network inputs pixels, 0 .. intensity_max. Stops with the first output spike.
 * `result` may be NULL. Returns the class, 0 .. outputs - 1, or a negative error.
 */
int bs4nn_classify(bs4nn_t *net, const uint8_t *pixels, bs4nn_result_t *result);

/*
 * Classify one image and run on to the last step, writing every firing time and the readout
 * potentials. Answers what bs4nn_classify answers. `result` may be NULL. Returns the same.
 */
int bs4nn_trace(bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace, bs4nn_result_t *result);

/* Number of pixels of an image; 0 if `network` is NULL. */
uint16_t bs4nn_inputs(const bs4nn_network_t *network);

/* Number of neurons in all layers, the output layer included; 0 if `network` is NULL. */
uint32_t bs4nn_neurons(const bs4nn_network_t *network);

#ifdef __cplusplus
}
#endif

#endif /* BS4NN_H */
