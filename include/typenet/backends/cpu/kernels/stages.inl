// The entry points of an instruction set: forward and backward of a stage.

/// What a stage computes from its input.
template <Geometry g>
void forward(const StageIo& io) {
#ifndef TYPENET_PAIRS
    if constexpr (g.winograd) return winograd_forward<g>(io);
#endif
    if constexpr (g.op == Op::convolution) {
        convolution_forward<g>(io);
    } else if constexpr (g.op == Op::linear) {
        linear_forward<g.relu>(io, linear_rows(g), linear_columns(g));
    } else if constexpr (g.op == Op::relu) {
        relu_forward<g>(io);
    } else if constexpr (g.op == Op::max_pool) {
        max_pool_forward<g>(io);
    } else if constexpr (g.op == Op::adaptive_avg_pool || g.op == Op::avg_pool) {
        average_forward<g>(io);
    } else if constexpr (g.op == Op::dropout) {
        dropout_forward<g>(io);
    } else if constexpr (g.op == Op::softmax) {
        softmax_forward<g>(io);
    } else if constexpr (g.op == Op::resize) {
        resize_forward<g>(io);
    } else if constexpr (g.op == Op::batch_norm) {
        batch_norm_forward(io, g);
    } else if constexpr (g.op == Op::add) {
        add_forward(io, g);
    } else if constexpr (g.op == Op::concat) {
        concat_forward(io, g);
    } else if constexpr (g.op == Op::fork) {
        // Its readers read what it stands behind.
    } else {
        static_assert(g.op == Op::local_response_norm);
        response_norm_forward<g>(io);
    }
}

/// Gradients of a stage. Only linear stages apply `rule` themselves; the others leave gradients.
template <Geometry g, class Rule>
void backward(const StageIo& io, const Rule& rule) {
    if constexpr (g.op == Op::convolution) {
        convolution_backward<g>(io);
    } else if constexpr (g.op == Op::linear) {
        linear_backward<Rule, g.relu>(io, rule, linear_rows(g), linear_columns(g));
    } else if constexpr (g.op == Op::batch_norm) {
        batch_norm_backward(io, g);
    } else if constexpr (!g.input_gradient) {
        // Nothing before this stage learns.
    } else if constexpr (g.op == Op::relu) {
        relu_backward<g>(io);
    } else if constexpr (g.op == Op::max_pool) {
        max_pool_backward<g>(io);
    } else if constexpr (g.op == Op::adaptive_avg_pool || g.op == Op::avg_pool) {
        average_backward<g>(io);
    } else if constexpr (g.op == Op::dropout) {
        dropout_backward<g>(io);
    } else if constexpr (g.op == Op::softmax) {
        softmax_backward<g>(io);
    } else if constexpr (g.op == Op::resize) {
        resize_backward<g>(io);
    } else if constexpr (g.op == Op::add) {
        add_backward(io, g);
    } else if constexpr (g.op == Op::concat) {
        concat_backward(io, g);
    } else if constexpr (g.op == Op::fork) {
        fork_backward(io, g);
    } else {
        static_assert(g.op == Op::local_response_norm);
        response_norm_backward<g>(io);
    }
}
