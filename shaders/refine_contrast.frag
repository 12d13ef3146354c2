#version 330
// On half the grid: the person's luma over that of what is behind, from blurred means (core/planes.py: contrast).
uniform sampler2D sides;      // share of the person, its luma, share of what is behind, its luma; blurred
uniform sampler2D cover;      // w: luma (refine_halves.frag)
uniform float faint;
uniform float most;

out float contrast;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 spread = texelFetch(sides, at, 0);
    float own = 1e-3 * texelFetch(cover, at, 0).w;
    vec2 luma = (spread.yw + own) / (spread.xz + 1e-3) + faint;
    contrast = clamp(luma.x / luma.y, 1.0 / most, most);
}
