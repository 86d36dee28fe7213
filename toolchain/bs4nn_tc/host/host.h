/*
 * host.h - inner loops of the trainer, called from Python (host/structures.py mirrors these structures).
 *
 * All memory belongs to the caller but for scratch that a call frees again. Nothing here keeps state
 * between calls, so several threads may call at once.
 *
 * Layout: signs and proxy weights are (inputs, neurons), one row an input, so that a spike adds a row.
 */
#ifndef BS4NN_HOST_H
#define BS4NN_HOST_H

#include <stddef.h>
#include <stdint.h>

#define HOST_MAX_LAYERS 16

typedef struct {
    int32_t inputs;
    int32_t neurons;
    const int8_t *signs;      /* (inputs, neurons), -1 or +1 */
    const int32_t *thresholds; /* (neurons) */
} host_layer_t;

typedef struct {
    int32_t layer_count;
    int32_t time_steps;
    int32_t delay;
    int32_t readout_step;
    const uint16_t *step_of_intensity; /* (256) firing time of a pixel; time_steps = never */
    host_layer_t layers[HOST_MAX_LAYERS];
} host_network_t;

/* Images to run or to learn from. */
typedef struct {
    const uint8_t *images; /* (N, inputs) */
    const int32_t *labels; /* (N), or NULL where nobody asks for them */
    int64_t count;         /* N */
} host_images_t;

/* ---- host_times.c ---- */

/* What an evaluation leaves. */
typedef struct {
    int32_t *answer;        /* (N) */
    int32_t *response_time; /* (N) T on a silent image */
    uint8_t *lenient;       /* (N) 1 where the label is among the first to fire */
    int32_t *spikes;        /* (N) input and hidden spikes to decision */
    int64_t *fired;         /* (hidden neurons of all layers) on how many images each fired before the decision */
} host_answers_t;

/* Classify images by SPEC.md; they have labels. Returns 0, or -1 without memory. */
int host_evaluate(const host_network_t *network, const host_images_t *images, const host_answers_t *answers);

/* What a run to the last step leaves. */
typedef struct {
    int32_t *answer;        /* (N) */
    int32_t *response_time; /* (N) T on a silent image */
    int32_t *spikes;        /* (N) input and hidden spikes to decision */
    uint16_t *times;        /* (N, neurons of all layers) every firing time, T = never */
    int32_t *readout;       /* (N, outputs) potentials at the readout step */
} host_result_t;

/* Run images to the last step. Returns 0, or -1 without memory. */
int host_times(const host_network_t *network, const host_images_t *images, const host_result_t *result);

/*
 * Dropout, in all recipes: hidden neurons that stay silent on an image while it is learned from. Layers above them get so
 * much less, so their thresholds are multiplied by `kept` meanwhile (and rounded, where they are whole numbers).
 */
typedef struct {
    const uint8_t *silent; /* (count, hidden neurons of all layers) 1: stays silent; or NULL */
    float kept;            /* share of the hidden neurons that do not */
} host_dropout_t;

/* The silent neurons of image n of those that are learned from; NULL: none. */
static inline const uint8_t *host_silent(const host_dropout_t *dropout, int64_t n, int64_t hidden_neurons)
{
    return dropout->silent != NULL ? dropout->silent + n * hidden_neurons : NULL;
}

/* ---- host_forward.c: the forward pass of "best" and "paper" ---- */

/* What is known when a run stops. */
typedef struct {
    int32_t *answer;        /* (N) */
    int32_t *response_time; /* (N) T on a silent image */
    uint16_t *times;        /* (N, neurons of all layers) firing times, T = not fired by then */
    int32_t *potentials;    /* (N, outputs) of the output neurons */
} host_stopped_t;

/*
 * Run images as the recipes do while they learn: until `margin` steps after the first output spike, and, where they
 * have labels, on until the output neuron of the label has fired. Returns 0, or -1 without memory.
 */
int host_forward(const host_network_t *network, const host_images_t *images, int32_t margin,
                 const host_stopped_t *stopped);

/* ---- host_surrogate.c: the recipe "best" ---- */

/* The loss, and what becomes of it. */
typedef struct {
    float scale;                           /* of the output potentials at the deciding step, before the softmax */
    float windows[HOST_MAX_LAYERS];        /* half width of a hidden layer's surrogate, in units of potential */
    float *gradients[HOST_MAX_LAYERS];     /* (inputs, neurons) a layer, of the signs; what is found is added */
    float *threshold_gradients[HOST_MAX_LAYERS]; /* (neurons) a hidden layer, likewise */
    double loss;                           /* the cross-entropies are added */
} host_surrogate_t;

/*
 * Gradients of the cross-entropy of softmax(scale * output potentials at the deciding step), summed over images, which
 * have labels. Returns 0, or -1 without memory.
 */
int host_surrogate_gradients(const host_network_t *network, const host_images_t *images,
                             const host_dropout_t *dropout, host_surrogate_t *surrogate);

/* What Adam moves: `count` proxy weights, with the running means of their gradients and of the squares of these. */
typedef struct {
    float *proxies; /* clipped to -1 .. 1 */
    float *mean;
    float *square;
    int8_t *signs;  /* of the proxies */
    int64_t count;
} host_moments_t;

/* One step of Adam. */
typedef struct {
    float gradient_scale; /* on the summed gradients */
    float rate;
    float mean_correction;   /* for the start of the means at zero, ... */
    float square_correction; /* ... and of the squares */
} host_adam_t;

/* One step; the gradient is the sum of `parts` arrays, which are cleared. Returns the number of signs that flipped. */
int64_t host_adam(const host_moments_t *moments, float *const *gradients, int32_t parts, const host_adam_t *step);

/* Control points of a displacement field in each direction, evenly from edge to edge. */
#define HOST_WARP_POINTS 5

/*
 * Warp images (count, rows, columns) by an affine map each (count, 6) and a field of displacements in pixels
 * (count, 2, points, points): the pixel at (x, y) comes from A (x, y) + b + field(x, y), bilinear.
 */
void host_warp(const uint8_t *images, int32_t count, int32_t rows, int32_t columns, const float *maps,
               const float *fields, uint8_t *warped);

/* ---- host_paper.c: the recipe "paper" ---- */

typedef struct {
    float threshold;       /* theta */
    float rate;            /* of the proxy weights */
    float alpha_rate;      /* of the scaling factors */
    float decay;           /* of the proxy weights */
    int32_t gamma;         /* margin of the target rules, in steps */
    int32_t early_target;  /* 1: the right neuron's target is gamma before the first spike (equation 6) */
    int32_t strict;        /* 1: fires when V > theta / alpha; 0: when V >= theta / alpha */
    int32_t black_fires;   /* 1: black pixels count as fired at the last step in the backward pass */
    int32_t silent_target; /* 1: where nobody fires, the right neuron's target is gamma before T (equation 8) */
    float window;          /* half width of the hidden neurons' surrogate, in units of potential; 0: none */
    int32_t balanced;      /* 1: where somebody fires, the errors of the output neurons sum to zero */
} host_paper_t;

/* What is learned, a layer each. */
typedef struct {
    float *proxies[HOST_MAX_LAYERS];      /* (inputs, neurons) */
    int8_t *signs[HOST_MAX_LAYERS];       /* those that the network points to */
    int32_t *thresholds[HOST_MAX_LAYERS]; /* likewise; they follow the alphas */
    double *alphas;                       /* (layers) */
    int64_t flips;                        /* of signs, counted */
} host_paper_weights_t;

/*
 * Learn from images one after another (stochastic gradient descent, equations 5 to 16). Returns the number of images answered right before the update (ties forgiven), or -1 without memory.
 */
int64_t host_paper_learn(const host_network_t *network, host_paper_weights_t *weights, const host_paper_t *options,
                         const host_images_t *images, const host_dropout_t *dropout);

/*
 * Errors of the output neurons (outputs) that sum to zero: the smaller side is raised to the larger one, which is how
 * much neuron `label` is to fire earlier, or how much those that are too early, together, are to fire later. Nothing
 * where only `label` is early.
 */
void host_balance(float *error, int32_t outputs, int32_t label);

/* The errors of a layer (count) to length 1. Returns 0 if they are all zero. */
int host_normalise(float *error, int32_t count);

/* ---- host_s4nn.c: the recipe "s4nn" ---- */

typedef struct {
    int32_t layer_count;
    int32_t time_steps;
    const uint16_t *step_of_intensity;        /* (256) firing time of a pixel; time_steps = never */
    int32_t sizes[HOST_MAX_LAYERS + 1];       /* inputs, then the neurons of every layer */
    float thresholds[HOST_MAX_LAYERS];        /* a neuron fires one step after its potential exceeds it */
    float *weights[HOST_MAX_LAYERS];          /* (inputs, neurons) */
} host_s4nn_t;

/*
 * As host_evaluate; silent images are answered by the potentials at step T - 3.
 */
int host_s4nn_evaluate(const host_s4nn_t *network, const host_images_t *images, const host_answers_t *answers);

typedef struct {
    float rate;                    /* of the weights */
    int32_t gamma;                 /* margin of the target rules, in steps */
    float window;                  /* half width of the hidden neurons' surrogate, in units of potential; 0: none */
    int32_t balanced;              /* 1: where somebody fires, the errors of the output neurons sum to zero */
    float limits[HOST_MAX_LAYERS]; /* weights of a layer stay within minus this .. this; may be infinite */
} host_s4nn_rules_t;

/*
 * Learn from images one after another: the weights of the network change. `fired` counts on how many
 * images every hidden neuron fired. Returns the number of images answered right before the update (ties forgiven), or
 * -1 without memory.
 */
int64_t host_s4nn_learn(const host_s4nn_t *network, const host_s4nn_rules_t *rules, const host_images_t *images,
                        const host_dropout_t *dropout, int64_t *fired);

#endif /* BS4NN_HOST_H */
