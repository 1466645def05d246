import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What Java's own path validation says of a chain: chain.pem (leaf, issuing authority), root.pem and
 * crl.pem in the folder that is given. One line for each way of asking: its name, then "good" or the reason.
 */
public final class PkixCheck {
    private static CertificateFactory factory;

    public static void main(String[] args) throws Exception {
        factory = CertificateFactory.getInstance("X.509");
        Path folder = Path.of(args[0]);
        List<Certificate> chain = new ArrayList<>(factory.generateCertificates(stream(folder.resolve("chain.pem"))));
        X509Certificate root = (X509Certificate) factory.generateCertificate(stream(folder.resolve("root.pem")));
        CertPath path = factory.generateCertPath(chain);
        Set<TrustAnchor> anchors = Set.of(new TrustAnchor(root, null));

        // The checker as it comes: OCSP by the addresses in the certificates, then lists.
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXParameters byDefault = new PKIXParameters(anchors);
        byDefault.addCertPathChecker((PKIXRevocationChecker) validator.getRevocationChecker());
        report("default", path, byDefault);

        PKIXRevocationChecker ocsp = (PKIXRevocationChecker) validator.getRevocationChecker();
        ocsp.setOptions(EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK));
        PKIXParameters byOcsp = new PKIXParameters(anchors);
        byOcsp.addCertPathChecker(ocsp);
        report("ocsp", path, byOcsp);

        PKIXRevocationChecker lists = (PKIXRevocationChecker) validator.getRevocationChecker();
        lists.setOptions(EnumSet.of(
            PKIXRevocationChecker.Option.PREFER_CRLS, PKIXRevocationChecker.Option.NO_FALLBACK));
        PKIXParameters byPoints = new PKIXParameters(anchors);
        byPoints.addCertPathChecker(lists);
        report("points", path, byPoints);

        // setRevocationEnabled alone looks at the lists that it is given.
        PKIXParameters byFile = new PKIXParameters(anchors);
        byFile.setRevocationEnabled(true);
        byFile.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(
            factory.generateCRLs(stream(folder.resolve("crl.pem"))))));
        report("file", path, byFile);
    }

    private static ByteArrayInputStream stream(Path file) throws Exception {
        return new ByteArrayInputStream(Files.readAllBytes(file));
    }

    private static void report(String name, CertPath path, PKIXParameters parameters) throws Exception {
        String said = "good";
        try {
            CertPathValidator.getInstance("PKIX").validate(path, parameters);
        } catch (CertPathValidatorException e) {
            said = e.getReason() + " at " + e.getIndex() + ": " + e.getMessage();
        }
        System.out.println(name + " " + said);
    }
}
