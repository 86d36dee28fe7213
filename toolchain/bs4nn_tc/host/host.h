/*
 * host.h - inner loops of the trainer, called from Python (host/library.py mirrors these structures).
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

/* ---- host_times.c ---- */

/*
 * Classify `count` images (count, inputs) by SPEC.md.
 * `lenient` is 1 where the label is among the first to fire. `spikes` are input and hidden spikes to
 * decision. `fired` counts, for every hidden neuron of all layers one after another, on how many images it
 * fired before the decision. Returns 0, or -1 without memory.
 */
int host_evaluate(const host_network_t *network, const uint8_t *images, const int32_t *labels, int32_t count,
                  int32_t *answer, int32_t *response_time, uint8_t *lenient, int32_t *spikes, int64_t *fired);

/*
 * Run `count` images (count, inputs) to the last step: every firing time (count, neurons of all layers), T =
 * never, the potentials at the readout step (count, outputs), and the answers. `spikes` are input and hidden
 * spikes to decision. Returns 0, or -1 without memory.
 */
int host_times(const host_network_t *network, const uint8_t *images, int32_t count, uint16_t *times, int32_t *readout,
               int32_t *answer, int32_t *response_time, int32_t *spikes);

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

/*
 * Run `count` images (count, inputs) as the recipes do while they learn: until `margin` steps after the first output
 * spike, and on until output neuron awaited[n] has fired (`awaited` may be NULL). times (count, neurons of all layers)
 * are those known by then, T = not fired; potentials (count, outputs) those of the output neurons then. Returns 0, or
 * -1 without memory.
 */
int host_forward(const host_network_t *network, const uint8_t *images, int32_t count, int32_t margin,
                 const int32_t *awaited, uint16_t *times, int32_t *potentials, int32_t *answer,
                 int32_t *response_time);

/* ---- host_surrogate.c: the recipe "best" ---- */

/*
 * Gradients of the cross-entropy of softmax(scale * output potentials at the deciding step), summed over
 * `count` images and added to gradients[l] (inputs, neurons). Adds the losses to *loss. windows[l] is the
 * half width of hidden layer l's surrogate, in units of potential. threshold_gradients[l] (neurons) are those of
 * hidden layer l's thresholds. Returns 0, or -1 without memory.
 */
int host_surrogate_gradients(const host_network_t *network, const uint8_t *images, const int32_t *labels,
                             int32_t count, const host_dropout_t *dropout, float scale, const float *windows,
                             float *const *gradients, float *const *threshold_gradients, double *loss);

/*
 * One step of Adam on `count` proxy weights: the gradient is the sum of `parts` arrays, which are
 * cleared. Proxies are clipped to -1 .. 1. Returns the number of signs that flipped.
 */
int64_t host_adam(float *proxies, float *mean, float *square, int8_t *signs, float *const *gradients, int32_t parts,
                  int64_t count, float gradient_scale, float rate, float mean_correction, float square_correction);

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
    float lambda;          /* weight decay */
    int32_t gamma;         /* margin of the target rules, in steps */
    int32_t early_target;  /* 1: the right neuron's target is gamma before the first spike (equation 6) */
    int32_t strict;        /* 1: fires when V > theta / alpha; 0: when V >= theta / alpha */
    int32_t black_fires;   /* 1: black pixels count as fired at the last step in the backward pass */
    int32_t silent_target; /* 1: where nobody fires, the right neuron's target is gamma before T (equation 8) */
    float window;          /* half width of the hidden neurons' surrogate, in units of potential; 0: none */
    int32_t balanced;      /* 1: where somebody fires, the errors of the output neurons sum to zero */
} host_paper_t;

/*
 * Learn from `count` images one after another (stochastic gradient descent, equations 5 to 16):
 * proxies[l] and signs (which network points to) and alphas[l] change in place, thresholds follow.
 * `order` holds the indices of the images. Returns the number of images answered right before the
 * update (ties forgiven), or -1 without memory.
 */
int64_t host_paper_learn(host_network_t *network, float *const *proxies, int8_t *const *signs,
                         int32_t *const *thresholds, double *alphas, const host_paper_t *options,
                         const uint8_t *images, const int32_t *labels, const int64_t *order, int64_t count,
                         const host_dropout_t *dropout, int64_t *flips);

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
    const float *weights[HOST_MAX_LAYERS];    /* (inputs, neurons) */
} host_s4nn_t;

/*
 * As host_evaluate; silent images are answered by the potentials at step T - 3.
 */
int host_s4nn_evaluate(const host_s4nn_t *network, const uint8_t *images, const int32_t *labels, int32_t count,
                       int32_t *answer, int32_t *response_time, uint8_t *lenient, int32_t *spikes, int64_t *fired);

typedef struct {
    float rate;                    /* of the weights */
    int32_t gamma;                 /* margin of the target rules, in steps */
    float window;                  /* half width of the hidden neurons' surrogate, in units of potential; 0: none */
    int32_t balanced;              /* 1: where somebody fires, the errors of the output neurons sum to zero */
    float limits[HOST_MAX_LAYERS]; /* weights of a layer stay within minus this .. this; may be infinite */
} host_s4nn_rules_t;

/*
 * Learn from `count` images one after another: weights[l] (which network points to) change in place. `order` holds
 * the indices of the images, and `fired` counts on how many images every hidden neuron fired. Returns the number of
 * images answered right before the update (ties forgiven), or -1 without memory.
 */
int64_t host_s4nn_learn(host_s4nn_t *network, float *const *weights, const host_s4nn_rules_t *rules,
                        const uint8_t *images, const int32_t *labels, const int64_t *order, int64_t count,
                        const host_dropout_t *dropout, int64_t *fired);

#endif /* BS4NN_HOST_H */
