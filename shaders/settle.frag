#version 330
// Means of 4 x 4 (core/shadow.py: settled), by four samples between texels.
uniform sampler2D shadows;    // at this target's size

in vec2 uv;
out vec4 seen;

void main() {
    vec2 texel = 1.0 / vec2(textureSize(shadows, 0));
    seen = 0.25 * (texture(shadows, uv + vec2(-1.5, -1.5) * texel) + texture(shadows, uv + vec2(0.5, -1.5) * texel)
                 + texture(shadows, uv + vec2(-1.5, 0.5) * texel) + texture(shadows, uv + vec2(0.5, 0.5) * texel));
}
