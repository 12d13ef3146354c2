// Skin: a texture's detail around a chosen tone; flush, freckles, moles, make-up, lips; stubble and a
// cap of hair colour on the scalp; wrinkles and pores in the shading normal only, never in the label.
// Places are the template's (metres): eyes y 0.728 at x +-0.031, mouth 0.662, brows 0.74, nose tip 0.69.
uniform sampler2D diffuse;
uniform vec3 mean;       // the texture's own skin tone, linear
uniform vec3 tone;       // wanted skin tone, linear
uniform float contrast;  // how much of the texture's variation is kept
uniform vec3 hair;       // linear
uniform vec2 cap;        // hairline offset in metres, strength of the hair colour
uniform vec2 stubble;    // strength, density
uniform vec3 lips;       // colour factor
uniform vec4 flush;      // redness of cheeks and nose, of ears, darkness under the eyes, tan of the face
uniform vec3 spots;      // freckles, blemishes, age spots: 0..1
uniform vec4 mole_a;     // x, y on the face, radius in metres, darkness
uniform vec4 mole_b;
uniform vec4 lipstick;   // colour, strength
uniform vec4 shadow;     // on the lids: colour, strength
uniform vec4 rouge;      // on the cheeks: colour, strength
uniform float liner;     // 0..1
uniform vec4 lines;      // depth in metres of lines on the forehead, beside the eyes, beside the mouth, of pores
uniform float shine;     // matt to oily
uniform vec3 seed;

float bell(vec2 p, vec2 at, vec2 size) { vec2 d = (p - at) / size; return exp(-dot(d, d)); }

// Depth in metres of a crease along a segment a..b that fades toward its ends.
float crease(vec2 p, vec2 a, vec2 b, float wide) {
    vec2 ab = b - a;
    float t = clamp(dot(p - a, ab) / dot(ab, ab), 0.0, 1.0);
    vec2 d = p - a - t * ab;
    return exp(-dot(d, d) / (wide * wide)) * 4.0 * t * (1.0 - t);
}

// A height in metres as a change of the normal (Mikkelsen 2010, unparametrised surfaces).
vec3 bumped(vec3 n, float height) {
    vec3 dx = dFdx(camera), dy = dFdy(camera);
    vec3 a = cross(dy, n), b = cross(n, dx);
    float det = dot(dx, a);
    return normalize(abs(det) * n - sign(det) * (dFdx(height) * a + dFdy(height) * b));
}

void main() {
    vec4 broad = noise4(rest * 35.0 + seed);
    vec4 mid = noise4(rest * 160.0 + seed);
    vec4 small = noise4(rest * 640.0 + seed);
    vec3 t = texture(diffuse, uv).rgb;
    t = t * t * (0.3 * t + 0.7);
    vec3 albedo = tone * pow(clamp(t / mean, 0.08, 3.0), vec3(contrast));
    albedo *= 0.9 + 0.2 * broad.r;

    float front = smoothstep(0.05, 0.1, rest.z) * step(0.6, rest.y);
    vec2 face = vec2(abs(rest.x), rest.y);
    float cheek = bell(face, vec2(0.040, 0.694), vec2(0.022, 0.018));
    float nose = bell(face, vec2(0.0, 0.692), vec2(0.016, 0.011)) * smoothstep(0.14, 0.155, rest.z);
    float red = front * flush.x * (cheek + nose) * (0.4 + 1.2 * broad.g) + flush.y * aux.y;
    float spot = spots.y * smoothstep(0.80, 0.88, mid.b) * front;
    albedo *= mix(vec3(1.0), vec3(1.04, 0.72, 0.70), clamp(red + spot, 0.0, 1.0));
    albedo *= 1.0 - flush.w * front * vec3(0.16, 0.22, 0.26);
    float freckle = spots.x * smoothstep(0.60, 0.72, small.g) * clamp(cheek + nose + 0.5 * broad.b, 0.0, 1.0);
    freckle += 0.5 * spots.z * smoothstep(0.66, 0.88, mid.a + 0.12 * (small.g - 0.5));
    albedo *= mix(vec3(1.0), vec3(0.74, 0.60, 0.50), clamp(front * freckle, 0.0, 1.0));
    float tired = flush.z * bell(face, vec2(0.029, 0.7165), vec2(0.014, 0.006));
    albedo *= mix(vec3(1.0), vec3(0.74, 0.66, 0.70), front * tired);
    float mole = mole_a.w * (1.0 - smoothstep(0.6, 1.0, distance(rest.xy, mole_a.xy) / mole_a.z));
    mole = max(mole, mole_b.w * (1.0 - smoothstep(0.6, 1.0, distance(rest.xy, mole_b.xy) / mole_b.z)));
    albedo *= mix(vec3(1.0), vec3(0.32, 0.22, 0.18), front * mole);

    float mouth = exp(-pow(pow(rest.x / 0.025, 2.0) + pow((rest.y - 0.662) / 0.0095, 2.0), 2.0)) * step(0.13, rest.z);
    albedo *= mix(vec3(1.0), lips, mouth);
    albedo = mix(albedo, rouge.rgb, front * rouge.a * bell(face, vec2(0.046, 0.697), vec2(0.018, 0.013)));
    albedo = mix(albedo, shadow.rgb, front * shadow.a * bell(face, vec2(0.032, 0.7355), vec2(0.0165, 0.0055)));
    albedo = mix(albedo, lipstick.rgb, lipstick.a * smoothstep(0.25, 0.6, mouth));
    float rim = length((face - vec2(0.0318, 0.7286)) / vec2(0.0122, 0.0043));
    albedo *= 1.0 - front * liner * exp(-pow((rim - 1.0) / 0.16, 2.0)) * (face.y > 0.7275 ? 0.9 : 0.45);

    float edge = (rest.y - 0.795) - 0.94 * (rest.z - 0.144) + cap.x + 0.010 * (mid.g - 0.5);
    float strand = 0.65 + 0.7 * noise(rest * vec3(900.0, 220.0, 900.0));
    float scalp = cap.y * smoothstep(-0.004, 0.010, edge) * (1.0 - aux.y);
    albedo = mix(albedo, hair * strand, scalp);
    float grain = smoothstep(0.95 - stubble.y, 1.2 - stubble.y, small.r);
    float beard = stubble.x * aux.x * mix(0.4 * stubble.y, 1.0, grain);
    albedo = mix(albedo, hair * strand, clamp(beard, 0.0, 1.0));

    vec2 wave = 0.006 * (broad.ba - 0.5);
    float brow = smoothstep(0.748, 0.757, face.y) * (1.0 - smoothstep(0.02, 0.045, face.x)) * (1.0 - scalp);
    float height = -lines.x * brow * pow(0.5 + 0.5 * sin((face.y + wave.x) * 800.0), 3.0) * (0.3 + broad.g);
    vec2 corner = face - vec2(0.0440, 0.7275) + 0.4 * wave;
    float fan = smoothstep(0.002, 0.007, corner.x) * (1.0 - smoothstep(0.010, 0.022, length(corner)));
    height -= lines.y * fan * pow(0.5 + 0.5 * sin(13.0 * atan(corner.y, corner.x + 0.006)), 2.0);
    height -= lines.y * crease(face + 0.3 * wave, vec2(0.017, 0.7205), vec2(0.042, 0.7170), 0.0016);
    height -= lines.z * crease(face + 0.4 * wave, vec2(0.0155, 0.692), vec2(0.0345, 0.650), 0.0024);
    height = height * front * (1.0 - mouth) + lines.w * (small.b + 0.5 * mid.r - 0.75);
    vec3 n = bumped(normalize(normal), height);
    float zone = 0.75 + front * (0.5 * bell(face, vec2(0.0, 0.765), vec2(0.04, 0.02)) + 0.6 * nose);
    float gloss = shine * zone * (0.7 + 0.6 * small.a) * (1.0 - 0.8 * max(scalp, beard)) * (1.0 - 0.4 * rouge.a);
    put(albedo, clamp(gloss + (0.12 + 0.3 * lipstick.a) * mouth, 0.0, 1.0), n, label, 1.0);
}
