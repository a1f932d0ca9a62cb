/// What llama.cpp calls the tensors of a family.
struct GGUFNames: Sendable {
    /// Names without a layer, `.weight` and `.bias` left out.
    var whole: [String: String]
    /// For each stack of layers what stands before a layer's number, in ours and in theirs, and the parts of a layer.
    var stacks: [Stack]

    struct Stack: Sendable {
        var ours: String
        var theirs: String
        var parts: [String: String]
    }

    /// Their name of our parameter; nil for one they have none for.
    func stored(_ name: String) -> String? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        let (part, suffix) = (String(name[..<dot]), name[dot...])
        if let found = whole[part] { return found + suffix }
        for stack in stacks where part.hasPrefix(stack.ours) {
            let rest = part.dropFirst(stack.ours.count)
            guard let end = rest.firstIndex(of: "."), let found = stack.parts[String(rest[rest.index(after: end)...])] else { continue }
            return "\(stack.theirs)\(rest[..<end]).\(found)\(suffix)"
        }
        return nil
    }

    static let gpt = GGUFNames(
        whole: ["wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm"],
        stacks: [
            Stack(
                ours: "h.", theirs: "blk.",
                parts: [
                    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
                    "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
                ])
        ])

    static let llama = GGUFNames(
        whole: ["model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"],
        stacks: [
            Stack(
                ours: "model.layers.", theirs: "blk.",
                parts: [
                    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
                    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
                    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
                ])
        ])

    static let t5 = GGUFNames(
        whole: [
            "shared": "token_embd", "encoder.final_layer_norm": "enc.output_norm", "decoder.final_layer_norm": "dec.output_norm", "lm_head": "output",
        ],
        stacks: [
            Stack(ours: "encoder.block.", theirs: "enc.blk.", parts: attention.merging(feedForward(layer: 1)) { $1 }),
            Stack(
                ours: "decoder.block.", theirs: "dec.blk.",
                parts: attention.merging(crossAttention) { $1 }.merging(feedForward(layer: 2)) { $1 }),
        ])

    private static let attention = [
        "layer.0.layer_norm": "attn_norm", "layer.0.SelfAttention.q": "attn_q", "layer.0.SelfAttention.k": "attn_k",
        "layer.0.SelfAttention.v": "attn_v", "layer.0.SelfAttention.o": "attn_o", "layer.0.SelfAttention.relative_attention_bias": "attn_rel_b",
    ]
    private static let crossAttention = [
        "layer.1.layer_norm": "cross_attn_norm", "layer.1.EncDecAttention.q": "cross_attn_q", "layer.1.EncDecAttention.k": "cross_attn_k",
        "layer.1.EncDecAttention.v": "cross_attn_v", "layer.1.EncDecAttention.o": "cross_attn_o",
    ]
    private static func feedForward(layer: Int) -> [String: String] {
        [
            "layer.\(layer).layer_norm": "ffn_norm", "layer.\(layer).DenseReluDense.wi": "ffn_up", "layer.\(layer).DenseReluDense.wi_0": "ffn_gate",
            "layer.\(layer).DenseReluDense.wi_1": "ffn_up", "layer.\(layer).DenseReluDense.wo": "ffn_down",
        ]
    }
}
