// Cloth: plain, striped, checked, printed or from a texture; large folds are in the mesh, weave and creases here.
// aux.y: fabric (0 plain, 1 jersey, 2 knit, 3 rib, 4 denim, 5 weave, 6 fleece), + 10 for shells of the body,
// which end where uv.x (neck), uv.y (front) or aux.x (sleeve) is below 0; there 1 is 2 cm.
uniform sampler2D diffuse;
uniform float textured;
uniform vec3 colour;
uniform vec3 second;
uniform vec4 pattern;  // kind (0 plain, 1 stripes, 2 checks, 3 blotches, 4 print on the chest, 5 zip, 6 words all over,
                       // 7 large picture on the chest), pitch, angle, softness
uniform float shine;
uniform float weave;
uniform float cut;     // discard where aux.x is below this
uniform vec3 seed;

float band(float x, float soft) { return smoothstep(0.5 - soft, 0.5 + soft, abs(fract(x) * 2.0 - 1.0)); }

float full(vec2 p) { return fract(sin(dot(p, vec2(127.1, 311.7)) + seed.x) * 43758.5453); }

// Lines of words; letters are 3 x 4 fields, some of which are full. q: one line is 1 high, a letter 0.5 wide.
float words(vec2 q) {
    float line = floor(q.y), high = (fract(q.y) - 0.2) / 0.6;
    float x = 2.0 * q.x + 3.7 * line, letter = floor(x), place = fract(x) / 0.75;
    if (high < 0.0 || high > 1.0 || place > 1.0 || mod(letter, 7.0) > 4.5) return 0.0;
    return step(0.4, full(vec2(letter * 3.0 + floor(place * 3.0), line * 4.0 + floor(high * 4.0))));
}

void main() {
    float shell = step(9.5, aux.y);
    float fabric = floor(aux.y - 10.0 * shell + 0.5);
    float edge = mix(1.0, min(min(uv.x, uv.y), aux.x), shell);
    if (edge < 0.0 || aux.x < mix(cut, -99.0, shell)) discard;
    vec3 albedo = colour;
    if (textured > 0.5 && shell < 0.5) albedo *= 0.12 + 1.1 * texture(diffuse, uv).rgb;
    float c = cos(pattern.z), s = sin(pattern.z);
    vec2 q = vec2(c * rest.x - s * rest.y, s * rest.x + c * rest.y) / pattern.y;
    float m = 0.0;
    if (pattern.x == 1.0) m = band(q.y, pattern.w);
    if (pattern.x == 2.0) m = 0.5 * band(q.y, 0.1) + 0.5 * band(q.x, 0.1);
    float grain = noise((pattern.x == 4.0 ? vec3(rest.xy * 90.0, 1.0) : rest / pattern.y) + seed);
    if (pattern.x == 3.0) m = smoothstep(0.5 - pattern.w, 0.5 + pattern.w, grain);
    if (pattern.x == 4.0) {
        vec2 d = (rest.xy - vec2(0.0, 0.43)) / vec2(0.09, 0.05);
        m = step(max(abs(d.x), abs(d.y)), 1.0) * step(0.03, rest.z) * step(0.45, grain);
    }
    if (pattern.x == 5.0) m = smoothstep(0.006, 0.004, abs(rest.x)) * step(0.0, rest.z);
    if (pattern.x == 6.0) m = words(q);
    if (pattern.x == 7.0) {
        vec2 d = (rest.xy - vec2(0.0, 0.36)) / vec2(0.11, 0.15);
        m = smoothstep(1.0, 0.9, dot(d, d)) * step(0.03, rest.z) * smoothstep(0.42, 0.46, grain);
    }
    albedo = mix(albedo, second, m);
    // Bands at the edges (ribbing, hems) and a stitched seam inside them.
    float hem = shell * smoothstep(0.75, 0.65, edge);
    float seam = shell * smoothstep(0.12, 0.0, abs(edge - 0.75));
    float round_body = atan(rest.x, rest.z - 0.02) * 0.12;
    float ribs = fabric == 3.0 ? 1.0 : hem * step(0.5, fract(seed.x * 7.0));
    float rib = band(round_body * 170.0, 0.4) * ribs;
    vec4 creased = noise4(rest * vec3(16.0, 26.0, 16.0) + seed) - 0.5;
    vec4 fine = noise4(rest * 480.0) - 0.5;
    vec3 bump = vec3(0.0);
    float close = smoothstep(1.3, 0.5, -camera.z);  // what a pixel cannot resolve is left out
    if (fabric == 2.0) {  // stitches: short diagonals, alternately leaning
        vec2 k = vec2(round_body * 260.0, rest.y * 300.0);
        float lean = mod(floor(k.x), 2.0) * 2.0 - 1.0;
        float loop = band(k.y + lean * fract(k.x), 0.45);
        albedo *= mix(0.83, 0.66 + 0.34 * loop, close);
        bump += vec3(lean * 0.3, loop - 0.5, 0.0) * 0.5 * close;
    }
    if (fabric == 4.0) albedo *= 0.88 + 0.2 * close * band((rest.x + rest.y) * 400.0, 0.4) + 0.4 * fine.r;
    if (fabric == 5.0) albedo *= 0.9 + 0.2 * band(rest.x * 300.0, 0.4) * band(rest.y * 300.0, 0.4);
    float fuzz = fabric == 6.0 ? 1.5 : 1.0;
    albedo *= (1.0 - 0.35 * ribs * (1.0 - rib)) * (1.0 - 0.35 * seam);
    albedo *= 0.9 + 0.2 * noise(rest * 45.0 + seed) - 0.16 * creased.a;
    bump += fuzz * weave * fine.rgb + (0.5 + 0.6 * weave) * creased.rgb + rib * vec3(0.25, 0.0, 0.0);
    put(albedo, fabric == 2.0 ? 0.3 * shine : shine, normal + bump, label, 0.0);
}
