// A partner of Puhui in Java 17 (no library): sign a request, check the reply, check an event that Puhui sends.
//
//   java Partner.java call  BASE_URL KEY_ID KEY.pem METHOD PATH [BODY.json|-] [IDEMPOTENCY_KEY]
//   java Partner.java check BASE_URL METHOD PATH HEADERS.txt BODY
//
// HEADERS.txt holds one header a line, "name: value".

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.OffsetDateTime;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Partner {
    private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] args) throws Exception {
        if (args[0].equals("call")) {
            byte[] body = args.length > 6 && !args[6].equals("-") ? Files.readAllBytes(Path.of(args[6])) : new byte[0];
            HttpResponse<byte[]> answer = call(args[1], args[2], Path.of(args[3]), args[4], args[5], body, args.length > 7 ? args[7] : "");
            System.out.println(answer.statusCode() + " " + new String(answer.body(), StandardCharsets.UTF_8));
        } else {
            Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            for (String line : Files.readAllLines(Path.of(args[4]))) {
                headers.put(line.substring(0, line.indexOf(':')), line.substring(line.indexOf(':') + 1).trim());
            }
            System.out.println(isFromTheLender(args[1], args[2], args[3], headers, Files.readAllBytes(Path.of(args[5]))) ? "good" : "bad");
        }
    }

    /** Send one signed request. The same idempotency key again gives the same answer again. */
    static HttpResponse<byte[]> call(String base, String keyId, Path keyFile, String method, String path, byte[] body, String idempotencyKey)
            throws Exception {
        byte[] random = new byte[16];
        new SecureRandom().nextBytes(random);
        String time = String.valueOf(nowMs(base)), nonce = HexFormat.of().formatHex(random), digest = digestOf(body);
        String text = String.join("\n", "puhui-v1", method, path, keyId, time, nonce, idempotencyKey, digest);
        Signature signer = Signature.getInstance("Ed25519");
        signer.initSign(privateKey(keyFile));
        signer.update(text.getBytes(StandardCharsets.UTF_8));
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path))
                .header("Puhui-Key", keyId).header("Puhui-Alg", "ed25519").header("Puhui-Time", time).header("Puhui-Nonce", nonce)
                .header("Puhui-Digest", digest).header("Puhui-Sign", Base64.getEncoder().encodeToString(signer.sign()))
                .header("Content-Type", "application/json")
                .method(method, body.length == 0 ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofByteArray(body));
        if (!idempotencyKey.isEmpty()) {
            request.header("Idempotency-Key", idempotencyKey);
        }
        HttpResponse<byte[]> answer = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        String reply = String.join("\n", "puhui-v1-reply", String.valueOf(answer.statusCode()), nonce, told(answer, "puhui-key"),
                told(answer, "puhui-time"), idempotencyKey, told(answer, "puhui-digest"));
        if (!told(answer, "puhui-digest").equals(digestOf(answer.body()))
                || !isSigned(base, told(answer, "puhui-key"), reply, told(answer, "puhui-sign"))) {
            throw new IllegalStateException("the reply is not signed by the lender: it counts as no reply");
        }
        return answer;
    }

    /** Check an event as it arrived. Keep the nonces of ten minutes and refuse one seen before; refuse a time more than 300 s off. */
    static boolean isFromTheLender(String base, String method, String path, Map<String, String> headers, byte[] body) throws Exception {
        if (!headers.getOrDefault("Puhui-Digest", "").equals(digestOf(body))) {
            return false;
        }
        String text = String.join("\n", "puhui-v1", method, path, headers.get("Puhui-Key"), headers.get("Puhui-Time"), headers.get("Puhui-Nonce"),
                headers.getOrDefault("Idempotency-Key", ""), headers.get("Puhui-Digest"));
        return isSigned(base, headers.get("Puhui-Key"), text, headers.get("Puhui-Sign"))
                && Math.abs(Long.parseLong(headers.get("Puhui-Time")) - nowMs(base)) <= 300_000;
    }

    /** The time to sign with: the wall clock, or the run's own where the sandbox steps its clock. */
    private static long nowMs(String base) throws Exception {
        String health = get(base + "/health");
        return field(health, "clock").equals("stepped") ? OffsetDateTime.parse(field(health, "at")).toInstant().toEpochMilli() : System.currentTimeMillis();
    }

    private static boolean isSigned(String base, String keyId, String text, String signature) throws Exception {
        Matcher keys = Pattern.compile("\\{[^{}]*\"key_id\":\"" + Pattern.quote(keyId) + "\"[^{}]*}").matcher(get(base + "/keys"));
        if (!keys.find()) {
            return false;
        }
        byte[] der = Base64.getDecoder().decode(field(keys.group(), "public_key"));
        PublicKey key = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(der));
        Signature checker = Signature.getInstance("Ed25519");
        checker.initVerify(key);
        checker.update(text.getBytes(StandardCharsets.UTF_8));
        return checker.verify(Base64.getDecoder().decode(signature));
    }

    private static PrivateKey privateKey(Path file) throws Exception {
        String pem = Files.readString(file).replaceAll("-----[A-Z ]+-----", "").replaceAll("\\s", "");
        return KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    }

    private static String digestOf(byte[] body) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
    }

    private static String get(String url) throws Exception {
        return CLIENT.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString()).body();
    }

    private static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        return found.find() ? found.group(1) : "";
    }

    private static String told(HttpResponse<?> answer, String name) {
        return answer.headers().firstValue(name).orElse("");
    }
}
